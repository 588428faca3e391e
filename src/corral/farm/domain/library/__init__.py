"""What releases of the software can do with each other, and the kits that bring them.

A release says facts about itself in a manifest. What may run where is decided from those facts
alone, never from a comparison of numbers that somebody wrote into the code. Does not belong here:
who is given which kit (:mod:`corral.farm.domain.rollout`), and how bytes become a kit.
"""
