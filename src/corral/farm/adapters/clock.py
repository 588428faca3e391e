"""The system's clock: the only place where it is read."""

from __future__ import annotations

from datetime import UTC, datetime


class SystemClock:
    """Tells the time of this machine."""

    def now(self) -> datetime:
        """Give the present instant in UTC."""
        return datetime.now(UTC)  # noqa: TID251 - this is the adapter that the rule names
