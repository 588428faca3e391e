"""Backups of the farm: what they are, when they are too old, which are kept.

Not here: how they are written (``docs/formats/backup.md``), nor what restoring one takes.
"""
