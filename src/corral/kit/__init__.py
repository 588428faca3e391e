"""Laying a kit out so that its release can be started: the same on a computer and on a server.

It decides nothing: which kit, whom to believe and what then runs is said by who calls. It knows
neither farm nor engine, nor any library; only what is in the file (``wire.kit``).
"""
