"""Who may do what: tokens, tickets and signatures, as values.

Not here: making random bytes and the mathematics of signatures; those are ports.
"""
