"""The library's records in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from corral.farm.domain.library.errors import (
    ItemChangedError,
    ItemTakenError,
    ItemUnknownError,
    PublisherTakenError,
    PublisherUnknownError,
)
from corral.farm.domain.library.rules import LibraryRules, LibraryRulesChangedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corral.farm.adapters.memory.state import State
    from corral.farm.domain.library.item import Item, ItemId, ItemName
    from corral.farm.domain.library.kit import Publisher, PublisherId, PublisherName


class MemoryLibraryItems:
    """Items by id."""

    def __init__(self, state: State) -> None:
        self._state = state

    def add(self, item: Item) -> None:
        """Add one."""
        other = self.find(item.name)
        if other is not None:
            raise ItemTakenError(item.name, other.state)
        self._state.library_items[item.id] = item

    def get(self, name: ItemName) -> Item:
        """Give the one of that name."""
        item = self.find(name)
        if item is None:
            raise ItemUnknownError(name)
        return item

    def find(self, name: ItemName) -> Item | None:
        """Give the one of that name, if there is one."""
        return next((one for one in self.all() if one.name == name), None)

    def all(self) -> Sequence[Item]:
        """Give all of them."""
        return sorted(self._state.library_items.values(), key=lambda one: one.name)

    def change(self, seen: Item, after: Item) -> Item:
        """Put ``after`` in the place of ``seen`` if that is still what is there."""
        known = self._state.library_items.get(seen.id)
        if known is None or known.revision != seen.revision:
            raise ItemChangedError(seen.name)
        changed = replace(after, id=seen.id, revision=seen.revision + 1)
        self._state.library_items[seen.id] = changed
        return changed

    def remove(self, item_id: ItemId) -> None:
        """Forget it."""
        self._state.library_items.pop(item_id, None)

    def with_id(self, item_id: ItemId) -> Item:
        """Give the one with that id."""
        try:
            return self._state.library_items[item_id]
        except KeyError:
            raise ItemUnknownError(str(item_id)) from None


class MemoryPublishers:
    """Publishers by id."""

    def __init__(self, state: State) -> None:
        self._state = state

    def add(self, publisher: Publisher) -> None:
        """Add one."""
        for other in self.all():
            if other.name == publisher.name or other.fingerprint == publisher.fingerprint:
                raise PublisherTakenError(publisher.name, other.name)
        self._state.publishers[publisher.id] = publisher

    def get(self, name: PublisherName) -> Publisher:
        """Give the one of that name."""
        found = next((one for one in self.all() if one.name == name), None)
        if found is None:
            raise PublisherUnknownError(name)
        return found

    def all(self) -> Sequence[Publisher]:
        """Give all of them."""
        return sorted(self._state.publishers.values(), key=lambda one: one.name)

    def remove(self, publisher_id: PublisherId) -> None:
        """Forget it."""
        self._state.publishers.pop(publisher_id, None)

    def with_id(self, publisher_id: PublisherId) -> Publisher:
        """Give the one with that id."""
        try:
            return self._state.publishers[publisher_id]
        except KeyError:
            raise PublisherUnknownError(str(publisher_id)) from None


class MemoryLibraryRules:
    """The rules."""

    def __init__(self, state: State) -> None:
        self._state = state

    def get(self) -> LibraryRules:
        """Give them."""
        return self._state.library_rules or LibraryRules()

    def change(self, seen: LibraryRules, after: LibraryRules) -> None:
        """Replace them if they are still those that were seen."""
        if self.get().revision != seen.revision:
            raise LibraryRulesChangedError
        self._state.library_rules = replace(after, revision=seen.revision + 1)
