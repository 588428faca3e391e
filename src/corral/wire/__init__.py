"""The messages that farm, stream processes and devices exchange, versioned.

Each module is one conversation. A message is frozen and carries ``format``. A reader ignores fields
that it does not know, so a field may be added within a format, and refuses a format that it does
not know, so a meaning is changed only under a new number.

Not here: rules, storage, HTTP. This package imports nothing else of ours, because the two ends of a
conversation may be of different releases and must be able to share it.
"""
