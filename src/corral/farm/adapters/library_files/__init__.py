"""Files that come into the library: kits, signed and in one file, and disc images.

Nothing in them is laid out on a disk here. ``corral.wire.kit`` knows the format.
"""
