"""Where time, ids and secrets come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from corral.farm.domain.access.token import Token


class Clock(Protocol):
    """The time of day."""

    def now(self) -> datetime:
        """Give the present instant, aware, in UTC."""
        ...


class IdSource(Protocol):
    """Ids that were never given before."""

    def new(self) -> UUID:
        """Give one."""
        ...


class TokenSource(Protocol):
    """Secrets that nobody can guess."""

    def new(self) -> Token:
        """Give one of 32 random bytes."""
        ...
