"""Sites, collections and stores in SQL."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from corral.farm.adapters.sql import rows, tables
from corral.farm.adapters.sql.edits import named_once, replaced
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

    from sqlalchemy import ColumnElement, Connection

    from corral.farm.domain.estate.collection import Collection, CollectionId, CollectionName
    from corral.farm.domain.estate.site import Site, SiteId, SiteName
    from corral.farm.domain.estate.store import Store, StoreId, StoreName


class SqlSites:
    """A row each."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, site: Site) -> None:
        """Add one."""
        with named_once(self._connection, SiteNameTakenError(site.name)):
            self._connection.execute(insert(tables.site).values(rows.site_values(site)))

    def get(self, name: SiteName) -> Site:
        """Give the one of that name."""
        found = self._select(tables.site.c.name == name)
        if not found:
            raise SiteUnknownError(name)
        return found[0]

    def with_id(self, site_id: SiteId) -> Site:
        """Give the one with that id."""
        found = self._select(tables.site.c.id == site_id)
        if not found:
            raise SiteUnknownError(str(site_id))
        return found[0]

    def all(self) -> Sequence[Site]:
        """Give all of them."""
        return self._select()

    def change(self, seen: Site, after: Site) -> Site:
        """Change the row if its revision is still the one that was seen."""
        changed = replace(after, id=seen.id, revision=seen.revision + 1)
        with named_once(self._connection, SiteNameTakenError(after.name)):
            done = replaced(
                self._connection,
                tables.site,
                seen.id,
                seen.revision,
                rows.site_values(changed),
            )
        if not done:
            if not self._select(tables.site.c.id == seen.id):
                raise SiteUnknownError(seen.name)
            raise SiteChangedError(seen.name)
        return changed

    def remove(self, site_id: SiteId) -> None:
        """Delete the row."""
        self._connection.execute(delete(tables.site).where(tables.site.c.id == site_id))

    def _select(self, *conditions: ColumnElement[bool]) -> list[Site]:
        query = select(tables.site).where(*conditions).order_by(tables.site.c.name)
        return [rows.site_from(row) for row in self._connection.execute(query)]


class SqlCollections:
    """A row each."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, collection: Collection) -> None:
        """Add one."""
        with named_once(self._connection, CollectionNameTakenError(collection.name)):
            self._connection.execute(
                insert(tables.collection).values(rows.collection_values(collection))
            )

    def get(self, name: CollectionName) -> Collection:
        """Give the one of that name."""
        found = self._select(tables.collection.c.name == name)
        if not found:
            raise CollectionUnknownError(name)
        return found[0]

    def with_id(self, collection_id: CollectionId) -> Collection:
        """Give the one with that id."""
        found = self._select(tables.collection.c.id == collection_id)
        if not found:
            raise CollectionUnknownError(str(collection_id))
        return found[0]

    def all(self) -> Sequence[Collection]:
        """Give all of them."""
        return self._select()

    def change(self, seen: Collection, after: Collection) -> Collection:
        """Change the row if its revision is still the one that was seen."""
        changed = replace(after, id=seen.id, revision=seen.revision + 1)
        with named_once(self._connection, CollectionNameTakenError(after.name)):
            done = replaced(
                self._connection,
                tables.collection,
                seen.id,
                seen.revision,
                rows.collection_values(changed),
            )
        if not done:
            if not self._select(tables.collection.c.id == seen.id):
                raise CollectionUnknownError(seen.name)
            raise CollectionChangedError(seen.name)
        return changed

    def remove(self, collection_id: CollectionId) -> None:
        """Delete the row."""
        self._connection.execute(
            delete(tables.collection).where(tables.collection.c.id == collection_id)
        )

    def _select(self, *conditions: ColumnElement[bool]) -> list[Collection]:
        query = select(tables.collection).where(*conditions).order_by(tables.collection.c.name)
        return [rows.collection_from(row) for row in self._connection.execute(query)]


class SqlStores:
    """A row each."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, store: Store) -> None:
        """Add one."""
        with named_once(self._connection, StoreNameTakenError(store.name)):
            self._connection.execute(insert(tables.store).values(rows.store_values(store)))

    def get(self, name: StoreName) -> Store:
        """Give the one of that name."""
        found = self._select(tables.store.c.name == name)
        if not found:
            raise StoreUnknownError(name)
        return found[0]

    def with_id(self, store_id: StoreId) -> Store:
        """Give the one with that id."""
        found = self._select(tables.store.c.id == store_id)
        if not found:
            raise StoreUnknownError(str(store_id))
        return found[0]

    def all(self) -> Sequence[Store]:
        """Give all of them."""
        return self._select()

    def change(self, seen: Store, after: Store) -> Store:
        """Change the row if its revision is still the one that was seen."""
        changed = replace(after, id=seen.id, revision=seen.revision + 1)
        with named_once(self._connection, StoreNameTakenError(after.name)):
            done = replaced(
                self._connection,
                tables.store,
                seen.id,
                seen.revision,
                rows.store_values(changed),
            )
        if not done:
            if not self._select(tables.store.c.id == seen.id):
                raise StoreUnknownError(seen.name)
            raise StoreChangedError(seen.name)
        return changed

    def remove(self, store_id: StoreId) -> None:
        """Delete the row."""
        self._connection.execute(delete(tables.store).where(tables.store.c.id == store_id))

    def _select(self, *conditions: ColumnElement[bool]) -> list[Store]:
        query = select(tables.store).where(*conditions).order_by(tables.store.c.name)
        return [rows.store_from(row) for row in self._connection.execute(query)]
