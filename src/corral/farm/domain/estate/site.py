"""A site: servers and collections that belong together, because they are near to each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NewType
from uuid import UUID

from corral.farm.domain.errors import (
    EditConflictError,
    InvalidInputError,
    RefusedError,
    TakenError,
    UnknownThingError,
)
from corral.farm.domain.estate.replication import UNLIMITED, Bandwidth
from corral.farm.domain.naming import checked_name, some_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from corral.farm.domain.estate.subnet import Subnet

SiteId = NewType("SiteId", UUID)
SiteName = NewType("SiteName", str)


def site_name(text: str) -> SiteName:
    """Check a name for a site."""
    return SiteName(checked_name("site", text))


class SiteUnknownError(UnknownThingError):
    """The farm has no site of that name."""

    code = "site-unknown"

    def __init__(self, name: str) -> None:
        super().__init__(f"the farm has no site {name!r}: 'corral site list' shows those it has")


class SiteNameTakenError(TakenError):
    """The name of a site is unique in its farm."""

    code = "site-name-taken"

    def __init__(self, name: SiteName) -> None:
        super().__init__(f"the farm has a site {name!r} already: choose another name")


class SiteChangedError(EditConflictError):
    """A site is changed by one person at a time; the second is told to look again."""

    code = "site-changed"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"site {name!r} was changed by somebody else since you looked: look again with"
            f" 'corral site show {name}', then repeat your change if it still makes sense"
        )


class SiteInUseError(RefusedError):
    """A site is removed only when nothing belongs to it any more."""

    code = "site-in-use"

    def __init__(self, name: SiteName, users: Sequence[str]) -> None:
        super().__init__(f"site {name!r} still has {some_of(users)}: move or remove them first")


class SitePermanentError(RefusedError):
    """The site that a farm begins with can be renamed, but not removed."""

    code = "site-permanent"

    def __init__(self, name: SiteName) -> None:
        super().__init__(
            f"site {name!r} is the one that new servers and collections go to when none is named:"
            " rename it with 'corral site change', but keep it"
        )


class SubnetsOverlapError(InvalidInputError):
    """A subnet belongs to one site, so that an address says where a device is."""

    code = "subnets-overlap"

    def __init__(self, mine: Subnet, other: Site, theirs: Subnet) -> None:
        super().__init__(
            f"subnet {mine} overlaps {theirs} of site {other.name!r}:"
            " an address must be in one site only; take it out of the other site first"
        )


@dataclass(frozen=True)
class Site:
    """A place of the farm."""

    id: SiteId
    name: SiteName
    description: str = ""
    subnets: tuple[Subnet, ...] = ()
    """Where its devices are; no two sites have an address in common."""
    bandwidth: Bandwidth = UNLIMITED
    """What copies may take of the lines of its servers."""
    revision: int = 1
    """Raised by each change, so that of two people who change one thing the second is told."""

    @property
    def is_permanent(self) -> bool:
        """Whether it is the one that the farm began with."""
        return self.id == FIRST_SITE.id

    def refuse_overlap(self, others: Iterable[Site]) -> None:
        """Raise ``SubnetsOverlapError`` if an address is both here and in another site."""
        for other in others:
            if other.id == self.id:
                continue
            for mine in self.subnets:
                for theirs in other.subnets:
                    if mine.overlaps(theirs):
                        raise SubnetsOverlapError(mine, other, theirs)


FIRST_SITE: Final = Site(SiteId(UUID("c0441a10-0000-4000-8000-000000000001")), SiteName("default"))
"""Every farm begins with it. Its id is the same everywhere, its name can be changed."""
