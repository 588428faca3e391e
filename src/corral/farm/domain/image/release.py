"""When a version that was promoted becomes what production devices start.

Computed, never done by a job: whoever asks at the moment that counts (a login, a list) gets the
right answer, and a process that was down has missed nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from corral.farm.domain.image.version_errors import ReleaseTimeInvalidError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from corral.farm.domain.estate.server import ServerName
    from corral.farm.domain.image.replica import Replica
    from corral.farm.domain.image.version import Version


@dataclass(frozen=True)
class Held:
    """A version's replica on a server that must serve it."""

    server: ServerName
    replica: Replica


@dataclass(frozen=True)
class Lack:
    """A server that must serve the version and lacks some of it."""

    server: ServerName
    missing_bytes: int
    problem: str = ""


@dataclass(frozen=True)
class ReleaseWait:
    """What a release waits for."""

    until: datetime | None = None
    """The date that has not come."""
    lacking: tuple[Lack, ...] = ()
    held_nowhere: bool = False

    @property
    def is_over(self) -> bool:
        """Whether the release is due."""
        return self.until is None and not self.lacking and not self.held_nowhere

    def __str__(self) -> str:
        reasons = []
        if self.until is not None:
            reasons.append(f"waits for {self.until.isoformat(timespec='minutes')}")
        reasons += [
            f"{lack.server} lacks {lack.missing_bytes} bytes"
            + (f" ({lack.problem})" if lack.problem else "")
            for lack in self.lacking
        ]
        if self.held_nowhere:
            reasons.append("no server holds it")
        return "; ".join(reasons)


def release_wait(version: Version, holders: Iterable[Held], now: datetime) -> ReleaseWait:
    """Say what the release of ``version`` waits for at ``now``.

    Those that must serve it are the servers that were told to hold it. One of them that is away
    counts with what it last said: a version that only some servers have is not released because
    the others are silent.
    """
    wanted = [held for held in holders if not held.replica.is_removing]
    return ReleaseWait(
        until=version.release_at
        if version.release_at is not None and now < version.release_at
        else None,
        lacking=tuple(
            Lack(held.server, _missing_bytes(held.replica, version), held.replica.problem)
            for held in wanted
            if not held.replica.is_complete
        ),
        held_nowhere=not wanted,
    )


def _missing_bytes(replica: Replica, version: Version) -> int:
    # A damaged replica may have counted every byte as done, and lacks at least one chunk.
    return max(1, (replica.total_bytes or version.size_bytes) - replica.done_bytes)


def release_time(text: str) -> datetime:
    """Read ``2026-12-01T20:00+01:00``; a moment without a zone would be another one elsewhere."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ReleaseTimeInvalidError(text) from None
    if moment.tzinfo is None:
        raise ReleaseTimeInvalidError(text)
    return moment
