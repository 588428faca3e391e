"""The whole database as text that any kind of database can take again.

A table comes in pieces. The first line of each names the table and its columns with what they hold;
each further line is a row. What a column holds is told in our words (``instant``, ``uuid``, …), not
in those of a database, so that what SQLite gave PostgreSQL takes, and the other way round.

A database that two releases share has tables and columns that only one of them knows. A dump holds
them all, whichever release takes it; the older release leaves out what it has no place for.
"""

from __future__ import annotations

import base64
import json
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from uuid import UUID

from sqlalchemy import (
    CHAR,
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    Uuid,
    delete,
    func,
    insert,
    select,
    text,
)

from corral.farm.adapters.sql import schema
from corral.farm.adapters.sql.audit import SqlAudit
from corral.farm.adapters.sql.engine import lift_limits, open_engine
from corral.farm.adapters.sql.failures import translated
from corral.farm.adapters.sql.options import WRITING
from corral.farm.adapters.sql.restorations import SqlRestorations
from corral.farm.adapters.sql.tables import Instant, metadata
from corral.farm.adapters.sql.transactions import SqlRecords
from corral.farm.application.ports.backups import RESTORED, Member
from corral.farm.domain.access.audit import AuditFilter
from corral.farm.domain.backup.errors import BackupNewerError, RestoreTargetTakenError
from corral.farm.domain.upgrade.schema import SeenSchema, Standing, standing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from sqlalchemy import Connection
    from sqlalchemy.types import TypeEngine

    from corral.farm.domain.backup.backup import BackupId

    _Value: TypeAlias = Any

FOLDER: Final = "database"
_PIECE_BYTES: Final = 1 << 20
_ROWS_AT_A_TIME: Final = 500
_SQLITE_UUID: Final = 32
"""As that many characters SQLite keeps it; nothing else of ours is kept so."""
_REVISION: Final = "alembic_version"
"""The table that says the revision; it is the head of a backup that says it instead."""
# A destination on a network may keep a snapshot waiting between two statements.
_IDLE: Final = "SET LOCAL idle_in_transaction_session_timeout = '30min'"


@dataclass(frozen=True)
class _Kind:
    """What a column holds, with its text form."""

    name: str
    type: TypeEngine[Any]
    out: Callable[[_Value], object]
    back: Callable[[_Value], _Value]


def _same(value: _Value) -> _Value:
    return value


_KINDS: Final = {
    kind.name: kind
    for kind in (
        _Kind("uuid", Uuid(), lambda v: v.hex, UUID),
        _Kind(
            "instant", Instant(), lambda v: v.astimezone(UTC).isoformat(), datetime.fromisoformat
        ),
        _Kind(
            "bytes", LargeBinary(), lambda v: base64.b64encode(v).decode("ascii"), base64.b64decode
        ),
        _Kind("json", JSON(none_as_null=True), _same, _same),
        _Kind("boolean", Boolean(create_constraint=False), _same, _same),
        _Kind("integer", BigInteger(), _same, _same),
        _Kind("real", Float(), _same, _same),
        _Kind("text", Text(), _same, _same),
    )
}
_KIND_OF: Final[tuple[tuple[type[TypeEngine[Any]], str], ...]] = (
    (Uuid, "uuid"),
    (LargeBinary, "bytes"),
    (DateTime, "instant"),
    (JSON, "json"),
    (Boolean, "boolean"),
    (Integer, "integer"),
    (Float, "real"),
    (String, "text"),
)


def kind_of(column: Column[Any]) -> str:
    """Give what a column holds."""
    if isinstance(column.type, Instant):
        return "instant"
    if isinstance(column.type, CHAR) and column.type.length == _SQLITE_UUID:
        return "uuid"
    for known, name in _KIND_OF:
        if isinstance(column.type, known):
            return name
    message = f"no backup knows what {column} holds: add its kind to the dump and to the format"
    raise TypeError(message)


class SqlSnapshots:
    """Takes snapshots of the database of a URL."""

    def __init__(self, url: str) -> None:
        self._url = url

    @contextmanager
    def taken(self) -> Iterator[SqlSnapshot]:
        """Hold one: a reading transaction, which sees one moment and keeps no writer waiting."""
        engine = open_engine(self._url)
        try:
            with translated(), engine.connect() as connection:
                lift_limits(connection)
                if connection.dialect.name == "postgresql":
                    connection.exec_driver_sql(_IDLE)
                yield SqlSnapshot(connection)
                connection.rollback()
        finally:
            engine.dispose()


class SqlSnapshot:
    """One moment of a database."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        seen = schema.look(connection)
        self.schema = seen.revision or ""
        self.readable_from = seen.readable_from
        self._tables = (
            metadata.sorted_tables if self.schema == schema.OWN.head else _as_there(connection)
        )
        self.rows: Mapping[str, int] = {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in self._tables
        }

    def members(self) -> Iterator[Member]:
        """Give each table in pieces, those that others point to first."""
        for table in self._tables:
            yield from self._pieces(table)

    def _pieces(self, table: Table) -> Iterator[Member]:
        columns = tuple(table.columns)
        kinds = [_KINDS[kind_of(column)] for column in columns]
        head = {
            "table": table.name,
            "columns": [[c.name, kind.name] for c, kind in zip(columns, kinds, strict=True)],
        }
        numbers = count(1)

        def piece(lines: list[bytes]) -> Member:
            content = b"\n".join([_line(head), *lines, b""])
            return Member(f"{FOLDER}/{table.name}/{next(numbers):06}.jsonl", content)

        lines: list[bytes] = []
        size = 0
        for row in self._rows(table):
            values = (
                None if value is None else kind.out(value)
                for kind, value in zip(kinds, row, strict=True)
            )
            lines.append(_line(list(values)))
            size += len(lines[-1])
            if size >= _PIECE_BYTES:
                yield piece(lines)
                lines, size = [], 0
        if lines:
            yield piece(lines)

    def _rows(self, table: Table) -> Iterator[tuple[_Value, ...]]:
        asked = select(table).order_by(*table.primary_key.columns)
        streamed = self._connection.execution_options(yield_per=_ROWS_AT_A_TIME)
        with translated():
            for row in streamed.execute(asked):
                yield tuple(row)


def _as_there(connection: Connection) -> list[Table]:
    """Give the tables that a database has, of another release or not."""
    there = MetaData()
    there.reflect(connection)
    return [
        Table(table.name, MetaData(), *(_column_as_there(column) for column in table.columns))
        for table in there.sorted_tables
        if table.name != _REVISION
    ]


def _column_as_there(column: Column[Any]) -> Column[Any]:
    own = metadata.tables.get(column.table.name)
    is_known = own is not None and column.name in own.columns
    of = own.columns[column.name].type if own is not None and is_known else None
    kind = _KINDS[kind_of(column)].type if of is None else of
    return Column(column.name, kind, primary_key=column.primary_key)


def _line(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


class SqlDatabasePlace:
    """An empty database that takes a dump, in one transaction with all that settles it."""

    def __init__(self, url: str) -> None:
        self._url = url

    @contextmanager
    def begin(self, backup: BackupId, seen: SeenSchema, file: Path) -> Iterator[SqlLoading]:
        """Begin; without ``finish`` nothing is kept.

        A database that was filled from the same backup and not used since is taken as it is: the
        restoring was cut off when only the folder was missing.
        """
        where = standing(seen, schema.OWN)
        is_newer = where is Standing.NEWER
        if not is_newer and seen.revision not in schema.REVISIONS:
            raise BackupNewerError(file, f"its database is at revision {seen.revision}")
        engine = open_engine(self._url)
        try:
            with translated(), engine.connect() as connection:
                begun = connection.execution_options(**{WRITING: True})
                with begun.begin() as transaction:
                    loading = SqlLoading(begun, is_filled=_is_filled(begun, backup))
                    if not loading.is_filled:
                        loading.prepare(schema.OWN.head if is_newer else str(seen.revision))
                    yield loading
                    if not loading.is_finished:
                        transaction.rollback()
        finally:
            engine.dispose()


def _is_filled(connection: Connection, backup: BackupId) -> bool:
    if schema.look(connection) == SeenSchema():
        return False
    if schema.is_ready(connection):
        last = SqlRestorations(connection).find()
        newest = SqlAudit(connection).newest(AuditFilter(), 1)
        is_untouched = [one.entry.what for one in newest] == [RESTORED]
        if last is not None and last.backup == backup and is_untouched:
            return True
    what = "the database"
    raise RestoreTargetTakenError(what)


class SqlLoading:
    """A database that is being filled."""

    def __init__(self, connection: Connection, *, is_filled: bool) -> None:
        self._connection = connection
        self._known: Mapping[str, frozenset[str]] = {}
        self.is_filled = is_filled
        self.is_finished = False
        self.rows: dict[str, int] = {}
        self.left_out: set[str] = set()

    def prepare(self, revision: str) -> None:
        """Make the schema that the dump was taken from, or the newest there is for a newer one."""
        schema.upgrade(self._connection, revision, may_contract=True)
        # What a migration puts into a new database comes with the dump again.
        known = MetaData()
        known.reflect(self._connection)
        for table in reversed(known.sorted_tables):
            if table.name != _REVISION and self._has_rows(table):
                self._connection.execute(delete(table))
        self._known = {
            table.name: frozenset(column.name for column in table.columns)
            for table in known.sorted_tables
        }

    def put(self, content: bytes) -> None:
        """Take a piece of a table, or what there is a place for."""
        first, *lines = content.splitlines()
        head = json.loads(first)
        name: str = head["table"]
        self.rows[name] = self.rows.get(name, 0) + len(lines)
        if self.is_filled or not lines:
            return
        if name not in self._known:
            self.left_out.add(name)
            return
        places = [
            (place, column, _KINDS[kind])
            for place, (column, kind) in enumerate(head["columns"])
            if column in self._known[name]
        ]
        columns = (Column(column, kind.type) for _, column, kind in places)
        table = Table(name, MetaData(), *columns)
        self.left_out |= {
            f"{name}.{column}" for column, _ in head["columns"] if column not in table.columns
        }
        rows = [
            {
                column: None if values[place] is None else kind.back(values[place])
                for place, column, kind in places
            }
            for values in map(json.loads, lines)
        ]
        self._connection.execute(insert(table), rows)

    def records(self) -> SqlRecords:
        """Bring the schema to the one that this release needs, and give the records.

        Nobody else works on the database yet, so that contract steps of earlier releases may be
        on the way; those of this one are taken when the farm is finalised.
        """
        if not self.is_filled:
            self._count_on()
            schema.upgrade(self._connection, schema.OWN.needs, may_contract=True)
        return SqlRecords.on(self._connection)

    def finish(self) -> None:
        """Keep everything at the end of the block."""
        self.is_finished = True

    def _has_rows(self, table: Table) -> bool:
        return bool(self._connection.execute(select(func.count()).select_from(table)).scalar_one())

    def _count_on(self) -> None:
        """Have PostgreSQL's sequences go on behind what was put in; SQLite looks by itself."""
        if self._connection.dialect.name != "postgresql":
            return
        owned = self._connection.execute(
            text(
                "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema"
                " = current_schema() AND (column_default LIKE 'nextval(%' OR is_identity = 'YES')"
            )
        ).all()
        for table, column in owned:
            quoted = self._connection.dialect.identifier_preparer.quote
            self._connection.execute(
                text(
                    f"SELECT setval(pg_get_serial_sequence(:table, :column),"  # noqa: S608 - names of ours
                    f" (SELECT coalesce(max({quoted(column)}), 0) + 1 FROM {quoted(table)}), false)"
                ),
                {"table": quoted(table), "column": column},
            )
