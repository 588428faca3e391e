"""Files of backups: a readable head, and an encrypted archive (``docs/formats/backup.md``).

Not here: what a backup holds. The encryption is age's, through ``pyrage``; nothing of it is ours.
"""
