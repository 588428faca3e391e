"""A store: what several servers keep chunks of, each in a folder."""

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
from corral.farm.domain.estate.scrub import MODEST, ScrubPolicy
from corral.farm.domain.naming import checked_name, some_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

StoreId = NewType("StoreId", UUID)
FolderId = NewType("FolderId", UUID)
StoreName = NewType("StoreName", str)


def store_name(text: str) -> StoreName:
    """Check a name for a store."""
    return StoreName(checked_name("store", text))


class StoreUnknownError(UnknownThingError):
    """The farm has no store of that name."""

    code = "store-unknown"

    def __init__(self, name: str) -> None:
        super().__init__(f"the farm has no store {name!r}: 'corral store list' shows those it has")


class StoreNameTakenError(TakenError):
    """The name of a store is unique in its farm."""

    code = "store-name-taken"

    def __init__(self, name: StoreName) -> None:
        super().__init__(f"the farm has a store {name!r} already: choose another name")


class StoreChangedError(EditConflictError):
    """A store is changed by one person at a time; the second is told to look again."""

    code = "store-changed"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"store {name!r} was changed by somebody else since you looked: look again with"
            f" 'corral store show {name}', then repeat your change if it still makes sense"
        )


class StorePathMissingError(InvalidInputError):
    """A server keeps its chunks in the folder that it names, or in its store's default one."""

    code = "store-path-missing"

    def __init__(self, name: StoreName) -> None:
        super().__init__(
            f"store {name!r} has no default path: name the server's own folder with --store,"
            f" or give the store one with 'corral store change {name} --path DIR'"
        )


class StorePathInvalidError(InvalidInputError):
    """The folder of a store is named by its whole path, which means the same everywhere."""

    code = "store-path-invalid"

    def __init__(self, text: str) -> None:
        super().__init__(f"{text!r} is not a whole path: write one that begins with /")


class StoreInUseError(RefusedError):
    """A store is removed only when no server keeps it any more."""

    code = "store-in-use"

    def __init__(self, name: StoreName, users: Sequence[str]) -> None:
        super().__init__(
            f"store {name!r} is still kept by {some_of(users)}: remove them, or move them to"
            " another store with 'corral server change', first"
        )


class StorePermanentError(RefusedError):
    """The store that a farm begins with can be renamed, but not removed."""

    code = "store-permanent"

    def __init__(self, name: StoreName) -> None:
        super().__init__(
            f"store {name!r} is the one that new servers keep when none is named:"
            " rename it with 'corral store change', but keep it"
        )


class StoreSharedByError(RefusedError):
    """A store stays shared while two of its servers keep their chunks in one folder."""

    code = "store-shared-by"

    def __init__(self, name: StoreName, one: str, other: str) -> None:
        super().__init__(
            f"servers {one!r} and {other!r} keep the chunks of store {name!r} in one folder:"
            " it can only be a shared store while they do"
        )


@dataclass(frozen=True)
class Store:
    """What some servers keep together: a copy each, or one folder that they share."""

    id: StoreId
    name: StoreName
    description: str = ""
    default_path: Path | None = None
    """The folder of each server that names none of its own."""
    shared: bool = False
    """Whether servers may share one folder, on a file system that each of them sees."""
    copies: int | None = None
    """How many servers hold each of its versions; none for all of them."""
    copies_set_at: datetime | None = None
    """When somebody last said how many; what was too many before anybody said so stays."""
    scrub: ScrubPolicy = MODEST
    """How often and how fast its servers read all that they keep."""
    revision: int = 1

    @property
    def is_permanent(self) -> bool:
        """Whether it is the one that the farm began with."""
        return self.id == FIRST_STORE.id

    def path_for(self, own: Path | None) -> Path:
        """Give the folder of a server with that path of its own; ``StorePathMissingError``."""
        path = own or self.default_path
        if path is None:
            raise StorePathMissingError(self.name)
        return path


FIRST_STORE: Final = Store(
    StoreId(UUID("c0441a10-0000-4000-8000-000000000003")), StoreName("default")
)
"""Every farm begins with it. Its id is the same everywhere, its name can be changed."""


@dataclass(frozen=True)
class StoreFolder:
    """Where one server keeps the chunks of its store."""

    id: FolderId
    """As written in the folder itself: two servers with the same id share one folder."""
    path: Path
    belongs_to: StoreId = FIRST_STORE.id

    def clashes_with(self, other: StoreFolder, *, shared: bool) -> bool:
        """Say whether both cannot be: one folder that serves two stores, or is not to be shared."""
        return self.id == other.id and not (shared and self.belongs_to == other.belongs_to)
