"""The command ``corral-engine``."""
