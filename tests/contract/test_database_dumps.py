"""The database as a dump: one moment, whole, and the same for every kind of database."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from sqlalchemy import Column, insert, inspect, select
from sqlalchemy.engine import Connection

from corral.farm.adapters.sql import schema
from corral.farm.adapters.sql.audit import audit
from corral.farm.adapters.sql.dump import SqlDatabasePlace, SqlSnapshots, kind_of
from corral.farm.adapters.sql.engine import open_engine
from corral.farm.adapters.sql.options import WRITING
from corral.farm.adapters.sql.tables import metadata
from corral.farm.adapters.sql.transactions import SqlTransactions
from corral.farm.application.ports.backups import RESTORED, Member, Restoration
from corral.farm.domain.access.actor import THE_FARM
from corral.farm.domain.access.audit import AuditFilter, Entry
from corral.farm.domain.backup.backup import BackupId
from corral.farm.domain.backup.errors import BackupNewerError, RestoreTargetTakenError
from corral.farm.domain.upgrade.schema import SeenSchema
from tests.conftest import ON_POSTGRESQL
from tests.contract.things import FARM, NOW, later

if TYPE_CHECKING:
    from tests.postgresql import PostgreSQL

pytestmark = pytest.mark.thorough

BACKUP = BackupId(UUID(int=7))
FILE = Path("/backups/one.corral-backup")
AT_HEAD = (BACKUP, SeenSchema(schema.OWN.head, schema.OWN.head), FILE)
VALUES: dict[str, Any] = {
    "uuid": UUID(int=99),
    "instant": datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC),
    "bytes": bytes(range(256)),
    "json": {"été": [1, None, True, {"a": 0.5}]},
    "boolean": True,
    "integer": 7,
    "real": 0.1 + 0.2,
    "text": 'été ✓ "\n\\',
}


@dataclass
class Databases:
    """Makes empty ones of both kinds."""

    folder: Path
    request: pytest.FixtureRequest
    made: list[SqlTransactions] = field(default_factory=list)
    files: int = 0

    def url(self, kind: str) -> str:
        if kind == "postgresql":
            server: PostgreSQL = self.request.getfixturevalue("postgresql")
            return server.new_database()
        self.files += 1
        return f"sqlite:///{self.folder / f'{self.files}.db'}"

    def opened(self, url: str) -> SqlTransactions:
        self.made.append(SqlTransactions(url))
        self.made[-1].set_up()
        return self.made[-1]


@pytest.fixture
def databases(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Databases]:
    made = Databases(tmp_path, request)
    yield made
    for one in made.made:
        one.close()


@pytest.fixture(params=["sqlite", ON_POSTGRESQL])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def dumped(url: str) -> list[Member]:
    with SqlSnapshots(url).taken() as snapshot:
        return list(snapshot.members())


def content_of(url: str) -> dict[str, list[str]]:
    """Give the rows of each table, in no database's own order."""
    return {
        table: sorted(json.dumps(row, sort_keys=True) for row in rows)
        for table, rows in rows_of(iter(dumped(url))).items()
    }


def load(url: str, members: list[Member], revision: str = schema.REVISIONS[-1]) -> dict[str, int]:
    with SqlDatabasePlace(url).begin(BACKUP, SeenSchema(revision), FILE) as loading:
        for member in members:
            loading.put(member.content)
        loading.records()
        loading.finish()
        return loading.rows


def put_a_row_into_every_table(connection: Connection) -> None:
    """With values that are easily lost on the way, and ``None`` wherever it may be."""
    for table in metadata.sorted_tables:
        for is_empty in (False, True):
            row = {c.name: value_of(connection, c, is_empty=is_empty) for c in table.columns}
            if any(c.primary_key and row[c.name] is None for c in table.columns) or (
                is_empty and not any(value is None for value in row.values())
            ):
                continue
            with connection.begin_nested() as attempt:
                try:
                    connection.execute(insert(table).values(row))
                except Exception:  # noqa: BLE001 - a second row that the table's rules forbid
                    attempt.rollback()
                    assert is_empty, table.name


def value_of(connection: Connection, column: Column[Any], *, is_empty: bool) -> object:
    if is_empty and column.nullable:
        return None
    for key in column.foreign_keys:
        return connection.execute(select(key.column).limit(1)).scalar_one()
    value = VALUES[kind_of(column)]
    if kind_of(column) == "text":
        value = value[: getattr(column.type, "length", None) or 99]
        return f"{value[1:]}2" if is_empty and len(value) > 1 else value
    if is_empty and kind_of(column) == "uuid":
        return UUID(int=98)
    return 8 if is_empty and kind_of(column) == "integer" else value


@pytest.fixture
def full(databases: Databases, kind: str) -> str:
    """A database with something in every table."""
    url = databases.url(kind)
    databases.opened(url)
    engine = open_engine(url)
    with engine.connect() as connection, connection.execution_options(**{WRITING: True}).begin():
        put_a_row_into_every_table(connection)
    engine.dispose()
    return url


@pytest.mark.parametrize("onto", ["sqlite", ON_POSTGRESQL])
def test_a_dump_of_any_database_is_taken_by_any_other(
    databases: Databases, full: str, onto: str
) -> None:
    members = dumped(full)
    assert {member.name.split("/")[1] for member in members} == set(metadata.tables)
    restored = databases.url(onto)
    rows = load(restored, members)
    assert content_of(restored) == content_of(full)
    assert all(rows[table] >= 1 for table in metadata.tables)


def test_the_audit_log_is_counted_on_behind_what_was_restored(
    databases: Databases, kind: str
) -> None:
    first, second = databases.url(kind), databases.url(kind)
    with databases.opened(first).writing() as records:
        for what in ("farm.create", "farm.change"):
            records.audit.note(Entry(NOW, THE_FARM, what, "home"))
    load(second, dumped(first))
    restored = databases.opened(second)
    with restored.writing() as records:
        records.audit.note(Entry(NOW, THE_FARM, "farm.restore", "home"))
    with restored.reading() as records:
        noted = records.audit.newest(AuditFilter(), 9)
    assert [(one.number, one.entry.what) for one in noted] == [
        (3, "farm.restore"),
        (2, "farm.change"),
        (1, "farm.create"),
    ]


def test_a_snapshot_is_of_one_moment_however_busy_writers_are(
    databases: Databases, kind: str
) -> None:
    """Each change raises the generation and notes an entry, in one transaction."""
    url = databases.url(kind)
    transactions = databases.opened(url)
    with transactions.writing() as records:
        records.farm.set_up(FARM)
    is_over, has_begun = Event(), Event()
    failures: list[BaseException] = []

    def write() -> None:
        try:
            while not is_over.is_set():
                with transactions.writing() as records:
                    records.farm.raise_generation()
                    records.audit.note(Entry(NOW, THE_FARM, "farm.change", "home"))
                has_begun.set()
        except BaseException as error:  # noqa: BLE001 - told below
            failures.append(error)
            has_begun.set()

    writers = [Thread(target=write) for _ in range(3)]
    for writer in writers:
        writer.start()
    try:
        assert has_begun.wait(60)
        seen = []
        for _ in range(10):
            with SqlSnapshots(url).taken() as snapshot:
                said = snapshot.rows["audit"]
                tables = rows_of(snapshot.members())
            (farm,) = tables["farm"]
            entries = len(tables.get("audit", []))
            assert farm["generation"] == FARM.generation + entries
            assert said == entries
            seen.append(entries)
    finally:
        is_over.set()
        for writer in writers:
            writer.join()
    assert not failures
    assert seen == sorted(seen)
    assert seen[-1] > seen[0], "nothing was written meanwhile"


def rows_of(members: Iterator[Member]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for member in members:
        head, *lines = map(json.loads, member.content.splitlines())
        names = [name for name, _ in head["columns"]]
        rows = found.setdefault(head["table"], [])
        rows += [dict(zip(names, line, strict=True)) for line in lines]
    return found


def test_a_large_table_comes_in_pieces(databases: Databases, kind: str) -> None:
    url = databases.url(kind)
    transactions = databases.opened(url)
    with transactions.writing() as records:
        for number in range(60):
            thing = f"{number:03}" * 10_000
            records.audit.note(Entry(later(number), THE_FARM, "farm.change", thing))
    members = [member for member in dumped(url) if "/audit/" in member.name]
    assert [member.name for member in members] == [
        "database/audit/000001.jsonl",
        "database/audit/000002.jsonl",
    ]
    assert all(len(member.content) < 2 << 20 for member in members)
    restored = databases.url(kind)
    load(restored, dumped(url))
    assert content_of(restored) == content_of(url)


def test_what_was_not_finished_is_not_kept(databases: Databases, full: str, kind: str) -> None:
    url, members = databases.url(kind), dumped(full)
    place = SqlDatabasePlace(url)
    with place.begin(*AT_HEAD) as loading:
        loading.put(members[0].content)
    failure = ValueError("cut off")
    with pytest.raises(ValueError, match="cut off"), place.begin(*AT_HEAD) as loading:  # noqa: PT012
        loading.put(members[0].content)
        raise failure
    load(url, members)
    assert content_of(url) == content_of(full)


def test_a_database_in_use_is_never_written_over(
    databases: Databases, full: str, kind: str
) -> None:
    members = dumped(full)
    other = databases.url(kind)
    databases.opened(other)
    before = dumped(other)
    with pytest.raises(RestoreTargetTakenError):
        load(other, members)
    assert dumped(other) == before


def test_what_the_same_backup_filled_before_is_taken_as_it_is(
    databases: Databases, full: str, kind: str
) -> None:
    """The restoring was killed between the database and the folder."""
    url, members = databases.url(kind), dumped(full)
    load(url, members)
    transactions = databases.opened(url)
    with transactions.writing() as records:
        records.restorations.put(Restoration(BACKUP, NOW, later(1)))
        records.audit.note(Entry(later(1), THE_FARM, RESTORED, "home"))
    before = dumped(url)
    with SqlDatabasePlace(url).begin(*AT_HEAD) as loading:
        assert loading.is_filled
        for member in members:
            loading.put(member.content)
        loading.records()
        loading.finish()
    assert dumped(url) == before
    with (
        pytest.raises(RestoreTargetTakenError),
        SqlDatabasePlace(url).begin(BackupId(UUID(int=8)), *AT_HEAD[1:]),
    ):
        pass
    # Once it is a farm that somebody uses, it is no empty place for the same backup either.
    with transactions.writing() as records:
        records.audit.note(Entry(later(2), THE_FARM, "farm.change", "home"))
    with pytest.raises(RestoreTargetTakenError), SqlDatabasePlace(url).begin(*AT_HEAD):
        pass


def test_a_dump_of_an_older_schema_is_brought_up_to_date(databases: Databases, kind: str) -> None:
    url = databases.url(kind)
    older = "0012"
    engine = open_engine(url)
    with engine.connect() as connection:
        begun = connection.execution_options(**{WRITING: True})
        with begun.begin():
            schema.upgrade(begun, older)
        had = {one["name"] for one in inspect(connection).get_columns("farm")}
    engine.dispose()
    columns = [[c.name, kind_of(c)] for c in metadata.tables["farm"].c if c.name in had]
    head = {"table": "farm", "columns": columns}
    farm = [1, FARM.id.hex, "home", "AAEC", ["http://a"], NOW.isoformat(), 5]
    member = Member(
        "database/farm/000001.jsonl", f"{json.dumps(head)}\n{json.dumps(farm)}".encode()
    )
    fresh = databases.url(kind)
    assert load(fresh, [member], older) == {"farm": 1}
    with databases.opened(fresh).reading() as records:
        assert (records.farm.get().id, records.farm.get().generation) == (FARM.id, 5)
        assert records.backups.all() == []


def test_a_dump_of_a_newer_schema_is_refused(databases: Databases, kind: str) -> None:
    with (
        pytest.raises(BackupNewerError),
        SqlDatabasePlace(databases.url(kind)).begin(BACKUP, SeenSchema("9999", "9999"), FILE),
    ):
        pass


# What a newer release could have added in an expand step: each kind of column, in a table of its
# own that an older table points to.
ADDED = """
CREATE TABLE rack (id {uuid} PRIMARY KEY, seen {instant} NOT NULL, plan {bytes}, facts {json},
  lit BOOLEAN, height BIGINT, load {real}, name VARCHAR(63));
ALTER TABLE site ADD COLUMN rack_id {uuid} REFERENCES rack (id);
INSERT INTO rack VALUES ({id}, '2026-03-01 12:30:15.123456{zone}', {picture}, '{{"u": 4}}',
  true, 42, 0.5, 'r1');
UPDATE site SET rack_id = {id};
UPDATE alembic_version SET version_num = '9999'
"""
TYPES = {
    "sqlite": {
        "uuid": "CHAR(32)",
        "instant": "DATETIME",
        "bytes": "BLOB",
        "json": "JSON",
        "real": "FLOAT",
        "id": f"'{UUID(int=5).hex}'",
        "zone": "",
        "picture": "x'00ff'",
    },
    "postgresql": {
        "uuid": "UUID",
        "instant": "TIMESTAMP WITH TIME ZONE",
        "bytes": "BYTEA",
        "json": "JSON",
        "real": "FLOAT",
        "id": f"'{UUID(int=5)}'",
        "zone": "+00",
        "picture": r"'\x00ff'",
    },
}


def expanded_by_a_newer_release(url: str, kind: str) -> None:
    engine = open_engine(url)
    with engine.connect() as connection, connection.execution_options(**{WRITING: True}).begin():
        for statement in ADDED.format(**TYPES[kind]).split(";"):
            connection.exec_driver_sql(statement)
    engine.dispose()


def test_a_dump_holds_what_only_a_newer_release_knows(
    databases: Databases, full: str, kind: str
) -> None:
    before = content_of(full)
    expanded_by_a_newer_release(full, kind)
    with SqlSnapshots(full).taken() as snapshot:
        assert (snapshot.schema, snapshot.readable_from) == ("9999", "0032")
        members = list(snapshot.members())
        assert snapshot.rows["rack"] == 1
    tables = [member.name.split("/")[1] for member in members]
    assert tables.index("rack") < tables.index("site")
    rows = rows_of(iter(members))
    assert rows["rack"] == [
        {
            "id": UUID(int=5).hex,
            "seen": "2026-03-01T12:30:15.123456+00:00",
            "plan": "AP8=",
            "facts": {"u": 4},
            "lit": True,
            "height": 42,
            "load": 0.5,
            "name": "r1",
        }
    ]
    assert {row["rack_id"] for row in rows["site"]} == {UUID(int=5).hex}
    assert content_of(full).keys() == before.keys() | {"rack"}


def test_a_dump_of_a_newer_schema_that_may_be_read_is_taken_without_what_is_new(
    databases: Databases, full: str, kind: str
) -> None:
    before = content_of(full)
    expanded_by_a_newer_release(full, kind)
    members = dumped(full)
    restored = databases.url(kind)
    newer = SeenSchema("9999", "0032")
    with SqlDatabasePlace(restored).begin(BACKUP, newer, FILE) as loading:
        for member in members:
            loading.put(member.content)
        loading.records()
        assert loading.left_out == {"rack", "site.rack_id"}
        assert loading.rows["rack"] == 1
        loading.finish()
    assert content_of(restored) == before


def test_what_every_column_holds_is_known() -> None:
    assert {kind_of(column) for table in metadata.tables.values() for column in table.c} == set(
        VALUES
    )
    assert audit.name in metadata.tables
