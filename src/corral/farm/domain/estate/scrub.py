"""How often and how fast servers read all that they keep, and what they found by it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from corral.farm.domain.errors import InvalidInputError

if TYPE_CHECKING:
    from datetime import datetime

_INTERVAL: Final = re.compile(r"([0-9]{1,6})([mhd])", re.ASCII)
_UNITS: Final = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_SHORTEST: Final = timedelta(minutes=1)
_LONGEST: Final = timedelta(days=365)


class ScrubIntervalInvalidError(InvalidInputError):
    """A pass over a store begins every so many minutes, hours or days."""

    code = "scrub-interval-invalid"

    def __init__(self, text: str) -> None:
        super().__init__(
            f"{text!r} is not how often a store can be read: write a number with m, h or d,"
            " such as 14d, from 1m to 365d"
        )


def scrub_interval(text: str) -> timedelta:
    """Read ``14d``; raises ``ScrubIntervalInvalidError``."""
    read = _INTERVAL.fullmatch(text)
    every = timedelta(0) if read is None else int(read[1]) * _UNITS[read[2]]
    if not _SHORTEST <= every <= _LONGEST:
        raise ScrubIntervalInvalidError(text)
    return every


def interval_of_seconds(seconds: int) -> timedelta:
    """Take seconds for an interval; raises ``ScrubIntervalInvalidError``."""
    if not _SHORTEST.total_seconds() <= seconds <= _LONGEST.total_seconds():
        text = f"{seconds} seconds"
        raise ScrubIntervalInvalidError(text)
    return timedelta(seconds=seconds)


@dataclass(frozen=True)
class ScrubPolicy:
    """What the servers of a store spend on reading all that they keep.

    A pass begins ``every`` so often, and is spread over most of that time: a store that is small
    for its interval is read far slower than ``rate``.
    """

    rate: int = 8 << 20
    """Bytes a second at the most, of each server; 0 for no scrub."""
    every: timedelta = timedelta(days=14)

    @property
    def is_off(self) -> bool:
        """Whether nothing is read but what somebody asks for."""
        return self.rate == 0


MODEST: Final = ScrubPolicy()
"""What a store begins with."""


@dataclass(frozen=True)
class ScrubPass:
    """One reading of all that a server keeps."""

    started_at: datetime
    finished_at: datetime | None
    total_bytes: int
    """Of all files when it began."""
    checked_bytes: int
    damaged_chunks: int
    """Chunks and what holds them: pages, indexes, root records; those that were gone, too."""
    healed_chunks: int

    @property
    def percent(self) -> int:
        """How much of it is read."""
        if self.finished_at is not None:
            return 100
        return min(99, 100 * self.checked_bytes // max(1, self.total_bytes))


@dataclass(frozen=True)
class SeenScrub:
    """What a server last said of its scrub."""

    under_way: ScrubPass | None = None
    last: ScrubPass | None = None
    """The last that ended."""
    passes: int = 0
    """That ended, ever; so are the next three."""
    checked_bytes: int = 0
    damaged_chunks: int = 0
    healed_chunks: int = 0
    unhealed_chunks: int = 0
    """That a version needs now, and no server could give."""
    problem: str = ""
    """Why it does not get on."""


def overdue(policy: ScrubPolicy, seen: SeenScrub | None, added_at: datetime, now: datetime) -> str:
    """Say why a server's last full reading is too long ago; nothing if it is not."""
    last = None if seen is None else seen.last
    known = None if last is None else last.finished_at
    if now - (known or added_at) <= 2 * policy.every:
        return ""
    days = (now - (known or added_at)).days
    when = f"for {days} days" if known else f"in the {days} days since it was added"
    why = "; its store's scrub is off" if policy.is_off else ""
    return f"it has not read all of its store {when}{why}"
