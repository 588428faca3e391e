"""The library in SQL: what is in it, whose kits are believed, where files come from."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    Uuid,
    insert,
    or_,
    select,
)
from sqlalchemy import delete as delete_from

from corral.farm.adapters.sql.edits import named_once, replaced
from corral.farm.adapters.sql.rows import SINGLETON
from corral.farm.adapters.sql.tables import Instant, Name, metadata
from corral.farm.domain.image.root import RootHash
from corral.farm.domain.image.version import VersionName
from corral.farm.domain.library.errors import (
    ItemChangedError,
    ItemTakenError,
    ItemUnknownError,
    PublisherTakenError,
    PublisherUnknownError,
)
from corral.farm.domain.library.item import Item, ItemId, ItemKind, ItemName, ItemState
from corral.farm.domain.library.kit import (
    KeyId,
    Publisher,
    PublisherId,
    PublisherName,
    read_kit,
)
from corral.farm.domain.library.rules import LibraryRules, LibraryRulesChangedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection

    from corral.farm.adapters.sql.rows import AnyRow, Values
    from corral.farm.domain.library.kit import Kit

library_item = Table(
    "library_item",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Name, nullable=False, unique=True),
    Column("kind", String(16), nullable=False),
    Column("path", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("begun_at", Instant, nullable=False),
    Column("by", String(255), nullable=False),
    Column("state", String(16), nullable=False),
    # What its publisher signed, as it was signed.
    Column("kit", Text),
    Column("publisher", String(64)),
    # No foreign key: a version that is deleted stays, and its item does not.
    Column("version", Text),
    Column("root", String(64)),
    Column("available_at", Instant),
    Column("problem", Text, nullable=False),
    Column("revision", Integer, nullable=False),
)

publisher = Table(
    "publisher",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Name, nullable=False, unique=True),
    Column("public_key", LargeBinary(32), nullable=False),
    Column("fingerprint", String(64), nullable=False, unique=True),
    Column("added_at", Instant, nullable=False),
)

library_rules = Table(
    "library_rules",
    metadata,
    # One row, there as soon as somebody sets the rules.
    Column("singleton", Integer, primary_key=True, autoincrement=False),
    Column("folder", Text),
    Column("revision", Integer, nullable=False),
)


class SqlLibraryItems:
    """A row each."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, item: Item) -> None:
        """Add one."""
        other = self.find(item.name)
        taken = ItemTakenError(item.name, item.state if other is None else other.state)
        with named_once(self._connection, taken):
            self._connection.execute(insert(library_item).values(_item_values(item)))

    def get(self, name: ItemName) -> Item:
        """Give the one of that name."""
        item = self.find(name)
        if item is None:
            raise ItemUnknownError(name)
        return item

    def find(self, name: ItemName) -> Item | None:
        """Give the one of that name, if there is one."""
        found = self._select(library_item.c.name == name)
        return found[0] if found else None

    def all(self) -> Sequence[Item]:
        """Give all of them."""
        return self._select()

    def change(self, seen: Item, after: Item) -> Item:
        """Change the row if its revision is still the one that was seen."""
        changed = replace(after, id=seen.id, revision=seen.revision + 1)
        values = _item_values(changed)
        if not replaced(self._connection, library_item, seen.id, seen.revision, values):
            raise ItemChangedError(seen.name)
        return changed

    def remove(self, item_id: ItemId) -> None:
        """Delete the row."""
        self._connection.execute(delete_from(library_item).where(library_item.c.id == item_id))

    def with_id(self, item_id: ItemId) -> Item:
        """Give the one with that id."""
        found = self._select(library_item.c.id == item_id)
        if not found:
            raise ItemUnknownError(str(item_id))
        return found[0]

    def _select(self, *wanted: ColumnElement[bool]) -> list[Item]:
        asked = select(library_item).where(*wanted).order_by(library_item.c.name)
        return [_item_from(row) for row in self._connection.execute(asked)]


class SqlPublishers:
    """A row each."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, of: Publisher) -> None:
        """Add one."""
        same = or_(publisher.c.name == of.name, publisher.c.fingerprint == of.fingerprint)
        others = self._select(same)
        taken = PublisherTakenError(of.name, others[0].name if others else of.name)
        with named_once(self._connection, taken):
            self._connection.execute(insert(publisher).values(vars(of)))

    def get(self, name: PublisherName) -> Publisher:
        """Give the one of that name."""
        return self._one(publisher.c.name == name, name)

    def all(self) -> Sequence[Publisher]:
        """Give all of them."""
        return self._select()

    def remove(self, publisher_id: PublisherId) -> None:
        """Delete the row."""
        self._connection.execute(delete_from(publisher).where(publisher.c.id == publisher_id))

    def with_id(self, publisher_id: PublisherId) -> Publisher:
        """Give the one with that id."""
        return self._one(publisher.c.id == publisher_id, str(publisher_id))

    def _one(self, wanted: ColumnElement[bool], name: str) -> Publisher:
        found = self._select(wanted)
        if not found:
            raise PublisherUnknownError(name)
        return found[0]

    def _select(self, *wanted: ColumnElement[bool]) -> list[Publisher]:
        asked = select(publisher).where(*wanted).order_by(publisher.c.name)
        return [_publisher_from(row) for row in self._connection.execute(asked)]


class SqlLibraryRules:
    """One row."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self) -> LibraryRules:
        """Give them."""
        row = self._connection.execute(select(library_rules)).one_or_none()
        if row is None:
            return LibraryRules()
        return LibraryRules(None if row.folder is None else Path(row.folder), row.revision)

    def change(self, seen: LibraryRules, after: LibraryRules) -> None:
        """Replace them if they are still those that were seen."""
        if self.get().revision != seen.revision:
            raise LibraryRulesChangedError
        self._connection.execute(delete_from(library_rules))
        self._connection.execute(
            insert(library_rules).values(
                singleton=SINGLETON,
                folder=None if after.folder is None else str(after.folder),
                revision=seen.revision + 1,
            )
        )


def _item_values(item: Item) -> Values:
    return {
        "id": item.id,
        "name": item.name,
        "kind": item.kind.value,
        "path": str(item.path),
        "size_bytes": item.size_bytes,
        "begun_at": item.begun_at,
        "by": item.by,
        "state": item.state.value,
        "kit": None if item.kit is None else item.kit.text,
        "publisher": item.publisher,
        "version": None if item.version is None else str(item.version),
        "root": None if item.root is None else item.root.hex,
        "available_at": item.available_at,
        "problem": item.problem,
        "revision": item.revision,
    }


def _item_from(row: AnyRow) -> Item:
    return Item(
        id=ItemId(row.id),
        name=ItemName(row.name),
        kind=ItemKind(row.kind),
        path=Path(row.path),
        size_bytes=row.size_bytes,
        begun_at=row.begun_at,
        by=row.by,
        state=ItemState(row.state),
        kit=None if row.kit is None else _kit(row.kit),
        publisher=None if row.publisher is None else KeyId(row.publisher),
        version=None if row.version is None else VersionName.parse(row.version),
        root=None if row.root is None else RootHash(row.root),
        available_at=row.available_at,
        problem=row.problem,
        revision=row.revision,
    )


@lru_cache(maxsize=256)
def _kit(text: str) -> Kit:
    """Read a kit's table once a process: it never changes, and each check-in asks for it."""
    return read_kit(text)


def _publisher_from(row: AnyRow) -> Publisher:
    return Publisher(
        id=PublisherId(row.id),
        name=PublisherName(row.name),
        public_key=row.public_key,
        fingerprint=KeyId(row.fingerprint),
        added_at=row.added_at,
    )
