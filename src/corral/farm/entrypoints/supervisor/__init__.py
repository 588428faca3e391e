"""What a server's machine starts: it starts the services, from the release that is in force.

It comes with the machine's package and not with a kit, so that no release is its own judge. It
decides nothing (``domain.supervision`` does), and speaks with nobody but by the releases folder.
"""
