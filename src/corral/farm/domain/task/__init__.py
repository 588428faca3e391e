"""Tasks: work that takes longer than a moment, what may happen to it, and when it may start.

Nothing of the engine that runs them is known here, and none of the kinds' own rules.
"""
