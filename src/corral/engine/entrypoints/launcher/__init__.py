"""What a computer's service starts: it starts agents, and goes back from one that does not work.

It comes with the computer's package and not with kits, so that no release is its own judge. It
imports nothing but Python and a few plain modules of the engine: no release's dependencies.
"""
