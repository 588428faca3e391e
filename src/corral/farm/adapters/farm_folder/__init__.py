"""The farm's folder: its key, the files that hand secrets over, and the locks of images.

Not here: the database, which may lie in this folder but has an adapter of its own.
"""
