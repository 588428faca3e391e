"""What this release asks of the others that a farm runs, beside its schema.

The one place where it stands: a kit's facts are written from it, and finalising an upgrade writes
into the database what counts there. None says that any release gets on with this one.
"""

from __future__ import annotations

from typing import Final

OLDEST_CONSOLE: Final[str | None] = None
"""The oldest ``corral`` command line that may be used on a farm which was finalised at this
release."""
OLDEST_SERVER: Final[str | None] = None
"""The oldest stream process that this release directs."""
OLDEST_TARGET: Final[str | None] = None
"""The oldest client that this release streams to."""
OLDEST_ENGINE: Final[str | None] = None
"""The oldest engine that this release hands orders to."""
