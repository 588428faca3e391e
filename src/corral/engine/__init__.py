"""The engine: the agent on a computer that keeps images locally and runs them as virtual machines.

Layers, outside to inside: ``entrypoints`` > ``bootstrap`` > ``adapters`` > ``application`` >
``domain``. It shares ``corral.wire`` with the farm and nothing else; ``lint-imports`` checks it.
"""
