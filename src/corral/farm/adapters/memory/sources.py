"""Time, ids and secrets that a test can foresee."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from corral.farm.domain.access.token import TOKEN_BYTES, Token


class MemoryClock:
    """Stands still until it is told to go on."""

    def __init__(self, now: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._now = now

    def now(self) -> datetime:
        """Give the instant at which it stands."""
        return self._now

    def advance(self, by: timedelta) -> None:
        """Go on."""
        self._now += by


class MemoryIds:
    """Counts."""

    def __init__(self) -> None:
        self._last = 0

    def new(self) -> UUID:
        """Give the next number as an id."""
        self._last += 1
        return UUID(int=self._last)


class MemoryTokens:
    """Counts."""

    def __init__(self) -> None:
        self._last = 0

    def new(self) -> Token:
        """Give the next number as a secret."""
        self._last += 1
        return Token(self._last.to_bytes(TOKEN_BYTES, "big"))
