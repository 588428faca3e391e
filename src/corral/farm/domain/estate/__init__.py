"""What a farm consists of: the farm itself, its sites, servers, stores and collections.

Not here: what the servers hold (``image``) and whom they serve (``delivery``).
"""
