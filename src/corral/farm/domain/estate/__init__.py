"""What a farm consists of: the farm itself, its servers and their stores.

Not here: what the servers hold (``image``) and whom they serve (``delivery``).
"""
