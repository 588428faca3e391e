"""The library: kits and media, from the moment that somebody imports them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NewType
from uuid import UUID

from corral.farm.domain.library.errors import ItemNotAvailableError, ItemTransitionError
from corral.farm.domain.naming import checked_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from corral.farm.domain.image.root import RootHash
    from corral.farm.domain.image.version import VersionName
    from corral.farm.domain.library.kit import KeyId, Kit

ItemId = NewType("ItemId", UUID)
ItemName = NewType("ItemName", str)


def item_name(text: str) -> ItemName:
    """Check a name for something in the library."""
    return ItemName(checked_name("library", text))


class ItemKind(StrEnum):
    """What can be imported into the library."""

    KIT = "kit"
    """A release, signed by its publisher."""
    MEDIA = "media"
    """A disc image, as it is."""


class ItemState(StrEnum):
    """How far it is."""

    IMPORTING = "importing"
    """It is being checked and cut into chunks; nobody can be given it yet."""
    AVAILABLE = "available"
    """It is a version of its own in the stores, and can be assigned."""
    FAILED = "failed"
    """Its import ended without it; importing it again begins anew."""
    REMOVED = "removed"
    """Forgotten."""


class ItemEvent(StrEnum):
    """What can happen to it."""

    BEGIN = "begin"
    """An import begins, or begins again after its worker was killed."""
    COMPLETE = "complete"
    FAIL = "fail"
    REMOVE = "remove"


_S, _E = ItemState, ItemEvent

TRANSITIONS: Final[Mapping[tuple[ItemState, ItemEvent], ItemState]] = MappingProxyType(
    {
        (_S.IMPORTING, _E.BEGIN): _S.IMPORTING,
        (_S.IMPORTING, _E.COMPLETE): _S.AVAILABLE,
        (_S.IMPORTING, _E.FAIL): _S.FAILED,
        (_S.IMPORTING, _E.REMOVE): _S.REMOVED,
        (_S.FAILED, _E.BEGIN): _S.IMPORTING,
        (_S.FAILED, _E.REMOVE): _S.REMOVED,
        (_S.AVAILABLE, _E.REMOVE): _S.REMOVED,
    }
)


def next_state(name: str, state: ItemState, event: ItemEvent) -> ItemState:
    """Give the state after ``event``, refused if the table has no such arrow."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        allowed = [one for one in ItemEvent if (state, one) in TRANSITIONS]
        raise ItemTransitionError(name, state, event, allowed) from None


@dataclass(frozen=True)
class Item:
    """Something in the library."""

    id: ItemId
    name: ItemName
    kind: ItemKind
    path: Path
    """Where it was imported from."""
    size_bytes: int
    begun_at: datetime
    by: str = ""
    state: ItemState = ItemState.IMPORTING
    kit: Kit | None = None
    """What the signed table says, of a kit."""
    publisher: KeyId | None = None
    """Whose signature was found good when it was imported."""
    version: VersionName | None = None
    """What it became; none until it is available."""
    root: RootHash | None = None
    available_at: datetime | None = None
    problem: str = ""
    """Why its import failed."""
    revision: int = 1

    def after(self, event: ItemEvent) -> Item:
        """Give it as it is after ``event``, without what only some events know."""
        return replace(self, state=next_state(self.name, self.state, event))

    def available(self, version: VersionName, root: RootHash, now: datetime) -> Item:
        """Give it as it is once it became a version."""
        return replace(
            self.after(_E.COMPLETE), version=version, root=root, available_at=now, problem=""
        )

    def failed(self, problem: str) -> Item:
        """Give it as it is once its import has failed."""
        return replace(self.after(_E.FAIL), problem=problem)

    def demand_available(self) -> None:
        """Refuse to give somebody what is not there yet; raises ``ItemNotAvailableError``."""
        if self.state is not ItemState.AVAILABLE:
            raise ItemNotAvailableError(self.name, self.state, self.problem)
