"""Bringing the farm from one release to another: what speaks against it."""
