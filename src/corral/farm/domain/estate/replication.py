"""How many servers of a store hold each of its versions, and how fast copies may flow."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import time
from enum import StrEnum
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from corral.farm.domain.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

    from corral.farm.domain.estate.server import ServerId
    from corral.farm.domain.estate.store import FolderId
    from corral.farm.domain.image.root import RootHash

_MOST_COPIES: Final = 1000
_LEAST_RATE: Final = 1024
_UNITS: Final = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_RATE: Final = re.compile(r"([0-9]{1,12})([KMG]?)", re.ASCII)
_WINDOW: Final = re.compile(r"([0-2][0-9]):([0-5][0-9])-([0-2][0-9]):([0-5][0-9])=(.+)", re.ASCII)


class CopiesInvalidError(InvalidInputError):
    """A store asks for a copy on each of its servers, or for some copies."""

    code = "copies-invalid"

    def __init__(self, text: str) -> None:
        super().__init__(
            f"{text!r} is not how many servers can hold a version: write 'all',"
            f" or a number from 1 to {_MOST_COPIES}"
        )


class RateInvalidError(InvalidInputError):
    """A rate is a number of bytes a second."""

    code = "rate-invalid"

    def __init__(self, text: str) -> None:
        super().__init__(
            f"{text!r} is not a rate: write the bytes of one second, at least {_LEAST_RATE},"
            " such as 500K, 20M or 1G"
        )


class WindowInvalidError(InvalidInputError):
    """A window is a time of the day with a rate of its own; windows of a site do not overlap."""

    code = "window-invalid"

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(
            f"the window {text!r} cannot be used: {reason};"
            " write it as FROM-UNTIL=RATE, such as 08:00-18:00=2M or 22:00-06:00=100M"
        )


class ZoneUnknownError(InvalidInputError):
    """A time zone is named as in the IANA database."""

    code = "zone-unknown"

    def __init__(self, text: str) -> None:
        super().__init__(
            f"there is no time zone {text!r}: write a name such as Europe/Paris or UTC"
        )


def copies(text: str) -> int | None:
    """Read ``all`` (none) or a number; raises ``CopiesInvalidError``."""
    if text == "all":
        return None
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text) <= _MOST_COPIES:
        raise CopiesInvalidError(text)
    return int(text)


def bytes_a_second(text: str) -> int:
    """Read ``20M`` as 20 MiB; raises ``RateInvalidError``."""
    read = _RATE.fullmatch(text)
    rate = 0 if read is None else int(read[1]) * _UNITS[read[2]]
    if rate < _LEAST_RATE:
        raise RateInvalidError(text)
    return rate


def checked_rate(rate: int) -> int:
    """Take bytes for a rate; raises ``RateInvalidError``."""
    if rate < _LEAST_RATE:
        raise RateInvalidError(str(rate))
    return rate


@dataclass(frozen=True)
class Window:
    """A time of each day with a rate of its own; one that ends before it begins goes over night."""

    begins: time
    ends: time
    rate: int
    """Bytes a second."""

    @classmethod
    def parse(cls, text: str) -> Window:
        """Read ``08:00-18:00=2M``; raises ``WindowInvalidError``, ``RateInvalidError``."""
        read = _WINDOW.fullmatch(text)
        if read is None:
            reason = "it is not of that form"
            raise WindowInvalidError(text, reason)
        try:
            begins, ends = time(int(read[1]), int(read[2])), time(int(read[3]), int(read[4]))
        except ValueError:
            reason = "an hour goes from 00 to 23"
            raise WindowInvalidError(text, reason) from None
        if begins == ends:
            reason = "it ends when it begins"
            raise WindowInvalidError(text, reason)
        return cls(begins, ends, bytes_a_second(read[5]))

    def holds_at(self, moment: time) -> bool:
        """Whether the moment is in it; its end is not."""
        if self.begins < self.ends:
            return self.begins <= moment < self.ends
        return moment >= self.begins or moment < self.ends

    def overlaps(self, other: Window) -> bool:
        """Whether some moment is in both."""
        return self.holds_at(other.begins) or other.holds_at(self.begins)

    def __str__(self) -> str:
        return f"{self.begins:%H:%M}-{self.ends:%H:%M}"


@dataclass(frozen=True)
class Bandwidth:
    """What copies may take of a site's line: what comes to all of its servers together."""

    rate: int | None = None
    """Bytes a second outside all windows; none for no limit."""
    windows: tuple[Window, ...] = ()
    zone: str = "UTC"
    """Whose clocks the windows mean."""

    def __post_init__(self) -> None:
        try:
            ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ZoneUnknownError(self.zone) from None
        for place, one in enumerate(self.windows):
            for other in self.windows[:place]:
                if one.overlaps(other):
                    reason = f"it overlaps {other}"
                    raise WindowInvalidError(str(one), reason)

    def rate_at(self, now: datetime) -> int | None:
        """Give the bytes a second that hold at ``now``; none for no limit."""
        local = now.astimezone(ZoneInfo(self.zone)).time()
        return next((w.rate for w in self.windows if w.holds_at(local)), self.rate)


UNLIMITED: Final = Bandwidth()


def share(rate: int | None, fetching: int) -> int | None:
    """Give what each of so many servers may take of a rate; together never more than all of it."""
    return None if rate is None else max(1, rate // max(1, fetching))


@dataclass(frozen=True)
class Member:
    """A server of a store, as the choice of copies sees it."""

    server: ServerId
    folder: FolderId
    takes_copies: bool = True
    """False for one that is in maintenance: it keeps what it has and gets nothing new."""


def wanted_holders(
    members: Iterable[Member], holders: Collection[ServerId], root: RootHash, wanted: int | None
) -> frozenset[ServerId]:
    """Give the servers of one store that should hold a root: ``wanted`` copies, or all.

    Who holds it goes on holding it, so that a change of the farm never moves what is there. Servers
    with one folder have one copy between them. Who comes next is decided by a hash of root and
    folder: versions spread evenly, and the same farm always decides the same.
    """
    by_folder: dict[FolderId, list[Member]] = {}
    for member in members:
        by_folder.setdefault(member.folder, []).append(member)
    held = {
        folder for folder, ones in by_folder.items() if any(one.server in holders for one in ones)
    }
    free = [
        folder
        for folder, ones in by_folder.items()
        if folder not in held and any(one.takes_copies for one in ones)
    ]
    free.sort(key=lambda folder: _place_in_order(root, folder))
    more = len(free) if wanted is None else max(0, wanted - len(held))
    chosen = held.union(free[:more])
    return frozenset(one.server for folder in chosen for one in by_folder[folder])


class Stays(StrEnum):
    """Why a copy that is too many is still there."""

    GOES = "its server lets it go next"
    IN_USE = "devices read or write there"
    SILENT = "its server has not reported since"
    OTHERS_UNSURE = "too few other servers have said since that they hold all of it"
    ONE_AT_A_TIME = "another copy of it goes first"


@dataclass(frozen=True)
class Copy:
    """One version in one folder of a store, as the choice of what may go sees it.

    Only what was said after the policy was set counts: what a server said before may be what the
    policy was changed for.
    """

    folder: FolderId
    is_sure: bool
    """All of it is there, and a server said so since that devices can be sent to."""
    is_heard: bool = True
    """Every server that keeps the folder has reported since, and is not silent now."""
    is_in_use: bool = False
    """Some device reads from it there, is on its way there, or writes over it there."""
    is_by_hand: bool = False
    """Somebody asked for it there: it comes on top of the policy, and stays."""
    is_leaving: bool = False
    """Its servers were told to let it go, and have not said that they have."""


@dataclass(frozen=True)
class Surplus:
    """A copy that is too many."""

    folder: FolderId
    stays: Stays


def surplus(copies: Iterable[Copy], root: RootHash, wanted: int | None) -> tuple[Surplus, ...]:
    """Give the copies of one version that are too many in its store, in the order of their going.

    At most one of them ``GOES``, and only while ``wanted`` others are surely complete. Which go is
    decided by the same hash by which copies are added, last come first gone; those that are not
    complete go before those that are, and one that cannot go holds up no other.
    """
    known = tuple(copies)
    candidates = [one for one in known if not (one.is_by_hand or one.is_leaving)]
    if wanted is None or len(candidates) <= wanted:
        return ()
    candidates.sort(key=lambda one: _place_in_order(root, one.folder), reverse=True)
    candidates.sort(key=lambda one: one.is_sure)
    sure = sum(one.is_sure and not one.is_leaving for one in known)
    is_one_going = any(one.is_leaving for one in known)
    found: list[Surplus] = []
    for one in candidates:
        stays = _stays(one, sure - one.is_sure, wanted, is_one_going=is_one_going)
        is_one_going = is_one_going or stays is Stays.GOES
        found.append(Surplus(one.folder, stays))
    found.sort(key=lambda one: (one.stays is not Stays.GOES, one.stays is not Stays.ONE_AT_A_TIME))
    return tuple(found[: len(candidates) - wanted])


def _stays(one: Copy, sure_others: int, wanted: int, *, is_one_going: bool) -> Stays:
    if one.is_in_use:
        return Stays.IN_USE
    if not one.is_heard:
        return Stays.SILENT
    if sure_others < wanted:
        return Stays.OTHERS_UNSURE
    return Stays.ONE_AT_A_TIME if is_one_going else Stays.GOES


def _place_in_order(root: RootHash, folder: FolderId) -> bytes:
    return hashlib.sha256(root.digest + folder.bytes).digest()
