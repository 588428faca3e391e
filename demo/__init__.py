"""The demonstration: a farm, a real guest without a disk, and the loss of the server that feeds it.

It stands outside the product and uses it as a person would: it runs the installed ``corral`` and
``corral-target`` programs, reads what they print with ``--json``, and imports nothing of them.
Nothing in the product
may import it.
"""
