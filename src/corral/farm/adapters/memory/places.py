"""Sites, collections and stores in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from corral.farm.domain.estate.collection import (
    CollectionChangedError,
    CollectionNameTakenError,
    CollectionUnknownError,
)
from corral.farm.domain.estate.site import SiteChangedError, SiteNameTakenError, SiteUnknownError
from corral.farm.domain.estate.store import (
    StoreChangedError,
    StoreNameTakenError,
    StoreUnknownError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corral.farm.adapters.memory.state import State
    from corral.farm.domain.estate.collection import Collection, CollectionId, CollectionName
    from corral.farm.domain.estate.site import Site, SiteId, SiteName
    from corral.farm.domain.estate.store import Store, StoreId, StoreName


class MemorySites:
    """Sites by id."""

    def __init__(self, state: State) -> None:
        self._state = state

    def add(self, site: Site) -> None:
        """Add one."""
        self._refuse_taken(site)
        self._state.sites[site.id] = site

    def get(self, name: SiteName) -> Site:
        """Give the one of that name."""
        for site in self._state.sites.values():
            if site.name == name:
                return site
        raise SiteUnknownError(name)

    def with_id(self, site_id: SiteId) -> Site:
        """Give the one with that id."""
        try:
            return self._state.sites[site_id]
        except KeyError:
            raise SiteUnknownError(str(site_id)) from None

    def all(self) -> Sequence[Site]:
        """Give all of them."""
        return sorted(self._state.sites.values(), key=lambda site: site.name)

    def change(self, seen: Site, after: Site) -> Site:
        """Put ``after`` in the place of ``seen`` if that is still what is there."""
        known = self._state.sites.get(seen.id)
        if known is None:
            raise SiteUnknownError(seen.name)
        if known.revision != seen.revision:
            raise SiteChangedError(seen.name)
        self._refuse_taken(after)
        changed = replace(after, id=seen.id, revision=seen.revision + 1)
        self._state.sites[seen.id] = changed
        return changed

    def remove(self, site_id: SiteId) -> None:
        """Forget it."""
        self._state.sites.pop(site_id, None)

    def _refuse_taken(self, site: Site) -> None:
        for other in self._state.sites.values():
            if other.name == site.name and other.id != site.id:
                raise SiteNameTakenError(site.name)


class MemoryCollections:
    """Collections by id."""

    def __init__(self, state: State) -> None:
        self._state = state

    def add(self, collection: Collection) -> None:
        """Add one."""
        self._refuse_taken(collection)
        self._state.collections[collection.id] = collection

    def get(self, name: CollectionName) -> Collection:
        """Give the one of that name."""
        for collection in self._state.collections.values():
            if collection.name == name:
                return collection
        raise CollectionUnknownError(name)

    def with_id(self, collection_id: CollectionId) -> Collection:
        """Give the one with that id."""
        try:
            return self._state.collections[collection_id]
        except KeyError:
            raise CollectionUnknownError(str(collection_id)) from None

    def all(self) -> Sequence[Collection]:
        """Give all of them."""
        return sorted(self._state.collections.values(), key=lambda collection: collection.name)

    def change(self, seen: Collection, after: Collection) -> Collection:
        """Put ``after`` in the place of ``seen`` if that is still what is there."""
        known = self._state.collections.get(seen.id)
        if known is None:
            raise CollectionUnknownError(seen.name)
        if known.revision != seen.revision:
            raise CollectionChangedError(seen.name)
        self._refuse_taken(after)
        changed = replace(after, id=seen.id, revision=seen.revision + 1)
        self._state.collections[seen.id] = changed
        return changed

    def remove(self, collection_id: CollectionId) -> None:
        """Forget it."""
        self._state.collections.pop(collection_id, None)

    def _refuse_taken(self, collection: Collection) -> None:
        for other in self._state.collections.values():
            if other.name == collection.name and other.id != collection.id:
                raise CollectionNameTakenError(collection.name)


class MemoryStores:
    """Stores by id."""

    def __init__(self, state: State) -> None:
        self._state = state

    def add(self, store: Store) -> None:
        """Add one."""
        self._refuse_taken(store)
        self._state.stores[store.id] = store

    def get(self, name: StoreName) -> Store:
        """Give the one of that name."""
        for store in self._state.stores.values():
            if store.name == name:
                return store
        raise StoreUnknownError(name)

    def with_id(self, store_id: StoreId) -> Store:
        """Give the one with that id."""
        try:
            return self._state.stores[store_id]
        except KeyError:
            raise StoreUnknownError(str(store_id)) from None

    def all(self) -> Sequence[Store]:
        """Give all of them."""
        return sorted(self._state.stores.values(), key=lambda store: store.name)

    def change(self, seen: Store, after: Store) -> Store:
        """Put ``after`` in the place of ``seen`` if that is still what is there."""
        known = self._state.stores.get(seen.id)
        if known is None:
            raise StoreUnknownError(seen.name)
        if known.revision != seen.revision:
            raise StoreChangedError(seen.name)
        self._refuse_taken(after)
        changed = replace(after, id=seen.id, revision=seen.revision + 1)
        self._state.stores[seen.id] = changed
        return changed

    def remove(self, store_id: StoreId) -> None:
        """Forget it."""
        self._state.stores.pop(store_id, None)

    def _refuse_taken(self, store: Store) -> None:
        for other in self._state.stores.values():
            if other.name == store.name and other.id != store.id:
                raise StoreNameTakenError(store.name)
