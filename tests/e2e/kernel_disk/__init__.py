"""A guest with Debian's kernel whose only disk is ``/dev/nbd0``, which it writes to."""
