"""The farm: the control plane that decides which machine may have which version.

Layers, outside to inside: ``entrypoints`` > ``bootstrap`` > ``settings`` > ``adapters`` >
``application`` > ``domain``. Imports point inwards only; ``lint-imports`` checks it. No block of an
image passes through here: that is the Rust side's work.
"""
