"""A collection: devices and computers of one site that are administered together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NewType
from uuid import UUID

from corral.farm.domain.errors import EditConflictError, RefusedError, TakenError, UnknownThingError
from corral.farm.domain.estate.site import FIRST_SITE, SiteId
from corral.farm.domain.naming import checked_name, some_of

if TYPE_CHECKING:
    from collections.abc import Sequence

CollectionId = NewType("CollectionId", UUID)
CollectionName = NewType("CollectionName", str)


def collection_name(text: str) -> CollectionName:
    """Check a name for a collection."""
    return CollectionName(checked_name("collection", text))


class CollectionUnknownError(UnknownThingError):
    """The farm has no collection of that name."""

    code = "collection-unknown"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the farm has no collection {name!r}: 'corral collection list' shows those it has"
        )


class CollectionNameTakenError(TakenError):
    """The name of a collection is unique in its farm, whatever its site."""

    code = "collection-name-taken"

    def __init__(self, name: CollectionName) -> None:
        super().__init__(f"the farm has a collection {name!r} already: choose another name")


class CollectionChangedError(EditConflictError):
    """A collection is changed by one person at a time; the second is told to look again."""

    code = "collection-changed"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"collection {name!r} was changed by somebody else since you looked: look again with"
            f" 'corral collection show {name}', then repeat your change if it still makes sense"
        )


class CollectionInUseError(RefusedError):
    """A collection is removed only when no device and no computer is in it any more."""

    code = "collection-in-use"

    def __init__(self, name: CollectionName, users: Sequence[str]) -> None:
        super().__init__(
            f"collection {name!r} still has {some_of(users)}: move them with 'corral device move'"
            " or 'corral computer change --collection', or remove them, first"
        )


class CollectionPermanentError(RefusedError):
    """The collection that a farm begins with can be renamed and moved, but not removed."""

    code = "collection-permanent"

    def __init__(self, name: CollectionName) -> None:
        super().__init__(
            f"collection {name!r} is the one that new devices go to when none is named:"
            " rename it with 'corral collection change', but keep it"
        )


@dataclass(frozen=True)
class Collection:
    """Devices and computers of one site; each of them is in exactly one."""

    id: CollectionId
    name: CollectionName
    site_id: SiteId
    description: str = ""
    revision: int = 1

    @property
    def is_permanent(self) -> bool:
        """Whether it is the one that the farm began with."""
        return self.id == FIRST_COLLECTION.id


FIRST_COLLECTION: Final = Collection(
    CollectionId(UUID("c0441a10-0000-4000-8000-000000000002")),
    CollectionName("default"),
    FIRST_SITE.id,
)
"""Every farm begins with it. Its id is the same everywhere, its name can be changed."""
