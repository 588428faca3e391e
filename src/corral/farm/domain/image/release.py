"""When a version that was promoted becomes what production devices start.

Computed, never done by a job: whoever asks at the moment that counts (a login, a list) gets the
right answer, and a process that was down has missed nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from corral.farm.domain.image.version_errors import ReleaseTimeInvalidError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from corral.farm.domain.estate.server import ServerName
    from corral.farm.domain.image.replica import Replica
    from corral.farm.domain.image.version import Version


LOST_AFTER: Final = timedelta(hours=24)
"""A server that was silent for this long is no longer waited for: it counts as lost."""


@dataclass(frozen=True)
class Held:
    """A version's replica on a server that was told to hold it."""

    server: ServerName
    replica: Replica
    silent_since: datetime | None = None
    """When it was last heard of; none of one that reports."""
    is_in_maintenance: bool = False

    def excuse(self, now: datetime) -> str:
        """Say why no release waits for this server; nothing if one does.

        Neither gets a device sent to it, whatever it holds, so that nobody could fail over to it.
        """
        if self.is_in_maintenance:
            return "under maintenance"
        if self.silent_since is not None and now - self.silent_since > LOST_AFTER:
            return f"silent since {_minute(self.silent_since)}"
        return ""


@dataclass(frozen=True)
class Lack:
    """A server that must serve the version and lacks some of it."""

    server: ServerName
    missing_bytes: int
    problem: str = ""
    silent_since: datetime | None = None
    """When it was last heard of; none of one that reports, and so goes on by itself."""

    def __str__(self) -> str:
        why = self.problem
        if self.silent_since is not None:
            why = f"silent since {_minute(self.silent_since)}"
        said = f"{self.server} lacks {self.missing_bytes} bytes"
        return f"{said} ({why})" if why else said


@dataclass(frozen=True)
class Excused:
    """A server that lacks some of the version and is not waited for."""

    server: ServerName
    why: str


@dataclass(frozen=True)
class ReleaseWait:
    """What a release waits for."""

    until: datetime | None = None
    """The date that has not come."""
    lacking: tuple[Lack, ...] = ()
    held_nowhere: bool = False
    excused: tuple[Excused, ...] = ()

    @property
    def silent(self) -> tuple[Lack, ...]:
        """Servers that it waits for and that nobody has heard of lately."""
        return tuple(lack for lack in self.lacking if lack.silent_since is not None)

    @property
    def is_over(self) -> bool:
        """Whether the release is due."""
        return self.until is None and not self.lacking and not self.held_nowhere

    def __str__(self) -> str:
        reasons = []
        if self.until is not None:
            reasons.append(f"waits for {self.until.isoformat(timespec='minutes')}")
        reasons += map(str, self.lacking)
        if self.held_nowhere:
            others = ", ".join(f"{one.server} is {one.why}" for one in self.excused)
            reasons.append(f"no server holds it ({others})" if others else "no server holds it")
        return "; ".join(reasons)


def release_wait(version: Version, holders: Iterable[Held], now: datetime) -> ReleaseWait:
    """Say what the release of ``version`` waits for at ``now``.

    Those that must serve it are the servers that were told to hold it. One of them that is away
    counts with what it last said: a version that only some servers have is not released because
    the others are silent. One under maintenance, or silent for longer than ``LOST_AFTER``, is not
    waited for as long as another one has all of it: no device is sent there.
    """
    wanted = [held for held in holders if not held.replica.is_removing]
    awaited = [held for held in wanted if not held.excuse(now)]
    return ReleaseWait(
        until=version.release_at
        if version.release_at is not None and now < version.release_at
        else None,
        lacking=tuple(
            Lack(
                held.server,
                _missing_bytes(held.replica, version),
                held.replica.problem,
                held.silent_since,
            )
            for held in awaited
            if not held.replica.is_complete
        ),
        held_nowhere=not awaited,
        excused=tuple(
            Excused(held.server, held.excuse(now))
            for held in wanted
            if held.excuse(now) and not (awaited and held.replica.is_complete)
        ),
    )


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


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
