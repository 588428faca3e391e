"""Giving a version or a kit to machines in waves, and looking before each next wave.

Everything here is judged anew from what is known at the moment that it is asked for; nothing that
was true once opens anything later. What is unknown opens nothing. Does not belong here: what a
machine is told when it is not offered the new version, and whether it could run it
(:mod:`corral.farm.domain.library`).
"""
