"""Chunk stores on ``corral_native``.

Converts values and errors between the port's words and the native package's. Not here: what
touches bytes, which is Rust's, and any rule of the farm.
"""
