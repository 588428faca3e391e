"""The demonstration of computers that leave the network: ``python -m demo.offline``.

It drives a farm and the engines of two computers from outside, as a person would, in the style of
the demonstration beside it.
"""
