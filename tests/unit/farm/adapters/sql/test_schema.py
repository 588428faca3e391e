from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, text
from tests.contract.things import FARM

from corral.farm.adapters.memory.sources import MemoryClock
from corral.farm.adapters.sql.engine import open_engine
from corral.farm.adapters.sql.schema import OWN, REVISIONS, look
from corral.farm.adapters.sql.schema_changes import SqlDatabaseSchema
from corral.farm.adapters.sql.tables import metadata
from corral.farm.adapters.sql.transactions import SqlTransactions
from corral.farm.application.change_schema import ExpandSchema
from corral.farm.domain.access.actor import THE_FARM
from corral.farm.domain.access.audit import AuditFilter
from corral.farm.domain.delivery.device import DeviceType
from corral.farm.domain.estate.capacity import NORMAL_POWER
from corral.farm.domain.estate.collection import FIRST_COLLECTION
from corral.farm.domain.estate.errors import FarmDatabaseError, FarmNewerError
from corral.farm.domain.estate.site import FIRST_SITE
from corral.farm.domain.estate.store import FIRST_STORE
from corral.farm.domain.upgrade.errors import SchemaBehindError, SchemaDamagedError
from corral.farm.domain.upgrade.schema import Half

if TYPE_CHECKING:
    from tests.postgresql import PostgreSQL

pytestmark = pytest.mark.thorough


def set_up(url: str) -> Engine:
    transactions = SqlTransactions(url)
    transactions.set_up()
    transactions.close()
    return open_engine(url)


def expand(url: str) -> tuple[str, ...]:
    verb = ExpandSchema(SqlDatabaseSchema(url), MemoryClock(), THE_FARM)
    return tuple(step.revision for step in verb().steps)


def upgrade_to(connection: Connection, revision: str) -> None:
    configuration = Config()
    configuration.set_main_option("script_location", "corral.farm.adapters.sql:migrations")
    configuration.attributes["connection"] = connection
    command.upgrade(configuration, revision)


def scripts() -> ScriptDirectory:
    configuration = Config()
    configuration.set_main_option("script_location", "corral.farm.adapters.sql:migrations")
    return ScriptDirectory.from_config(configuration)


def test_known_revisions_are_the_scripts() -> None:
    walked = [script.revision for script in scripts().walk_revisions()]
    assert tuple(reversed(walked)) == REVISIONS


def test_scripts_say_whether_they_expand_or_contract() -> None:
    for script in scripts().walk_revisions():
        name = Path(script.path).name
        assert name.startswith((f"{script.revision}_expand_", f"{script.revision}_contract_"))


def test_names_of_the_scripts_are_the_steps() -> None:
    walked = reversed(list(scripts().walk_revisions()))
    assert [Path(script.path).stem for script in walked] == [
        f"{one.revision}_{one.half}_{one.what}" for one in OWN.steps
    ]


def test_every_contract_step_closes_the_database_to_somebody_and_no_other_does(
    database_url: str,
) -> None:
    engine, before = open_engine(database_url), None
    for step in OWN.steps:
        with engine.begin() as raw:
            upgrade_to(raw, step.revision)
            readable_from = look(raw).readable_from
        if before is not None:
            assert (readable_from or "") >= before, step
            assert (readable_from != before) is (step.half is Half.CONTRACT), step
        assert (readable_from or "") <= step.revision, step
        before = readable_from
    engine.dispose()
    assert before is not None


def test_taking_all_steps_one_by_one_leads_to_the_same_schema_as_taking_them_at_once(
    database_url: str, other_database_url: str
) -> None:
    one, other = open_engine(database_url), open_engine(other_database_url)
    for step in OWN.steps:
        for _ in "12":  # the second time is of no effect
            with one.begin() as raw:
                upgrade_to(raw, step.revision)
    with other.begin() as raw:
        upgrade_to(raw, "head")
    assert everything(one) == everything(other)
    one.dispose()
    other.dispose()


def everything(engine: Engine) -> dict[str, object]:
    """Give all that a database says of its tables."""
    seen = inspect(engine)
    return {
        name: (
            [str(column) for column in seen.get_columns(name)],
            sorted(map(str, seen.get_indexes(name))),
            sorted(map(str, seen.get_foreign_keys(name))),
            sorted(map(str, seen.get_unique_constraints(name))),
            str(seen.get_pk_constraint(name)),
        )
        for name in seen.get_table_names()
    }


@pytest.fixture
def other_database_url(database_url: str, request: pytest.FixtureRequest) -> str:
    if database_url.startswith("sqlite:"):
        return f"{database_url}-other"
    server: PostgreSQL = request.getfixturevalue("postgresql")
    return server.new_database()


def test_a_shared_database_is_expanded_only_when_that_is_asked_for(database_url: str) -> None:
    engine = open_engine(database_url)
    with engine.begin() as raw:
        upgrade_to(raw, OWN.revisions[-2])
    engine.dispose()
    transactions = SqlTransactions(database_url)
    if database_url.startswith("postgresql:"):
        with pytest.raises(SchemaBehindError, match="corral schema expand"):
            transactions.set_up()
        assert expand(database_url) == (OWN.head,)
    transactions.set_up()
    assert expand(database_url) == ()
    with transactions.reading() as records:
        noted = [one.entry.what for one in records.audit.newest(AuditFilter(), 9)]
    assert noted == (["schema.expand"] if database_url.startswith("postgresql:") else [])
    transactions.close()


def test_two_that_expand_at_once_do_it_once(database_url: str) -> None:
    engine = open_engine(database_url)
    with engine.begin() as raw:
        upgrade_to(raw, "0012")
    engine.dispose()
    with ThreadPoolExecutor(4) as pool:
        done = [one.result() for one in [pool.submit(expand, database_url) for _ in range(4)]]
    assert sorted(done)[:3] == [(), (), ()]
    assert sorted(done)[3] == REVISIONS[12:]


def test_a_process_that_goes_on_when_the_database_is_closed_to_it_writes_no_more(
    database_url: str,
) -> None:
    transactions = SqlTransactions(database_url)
    transactions.set_up()
    with transactions.writing() as records:
        records.farm.set_up(FARM)
    engine = open_engine(database_url)
    with engine.begin() as raw:
        raw.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        raw.exec_driver_sql("UPDATE schema_gate SET readable_from = '9998'")
        raw.exec_driver_sql("ALTER TABLE farm DROP COLUMN api_urls")
    with pytest.raises(FarmNewerError, match="9999"), transactions.writing():
        pass
    with pytest.raises(FarmNewerError, match="9999"), transactions.reading() as records:
        records.farm.get()
    with engine.connect() as raw:
        assert raw.exec_driver_sql("SELECT generation FROM farm").scalar_one() == FARM.generation
    engine.dispose()
    transactions.close()


@pytest.mark.parametrize(
    ("done", "why"),
    [
        ("DELETE FROM alembic_version", "0 revisions"),
        ("UPDATE alembic_version SET version_num = 'f3a9'", "f3a9"),
        ("DELETE FROM schema_gate", "which releases work on it"),
        ("DROP TABLE alembic_version", "says no revision"),
    ],
)
def test_what_no_release_has_written_is_no_schema(database_url: str, done: str, why: str) -> None:
    engine = set_up(database_url)
    with engine.begin() as raw:
        raw.exec_driver_sql(done)
    engine.dispose()
    transactions = SqlTransactions(database_url)
    with pytest.raises(SchemaDamagedError, match=why):
        transactions.set_up()
    transactions.close()


def test_migrations_lead_to_the_tables_that_the_code_uses(database_url: str) -> None:
    engine = set_up(database_url)
    with engine.connect() as connection:
        differences = compare_metadata(
            MigrationContext.configure(connection, opts={"compare_type": True}), metadata
        )
    engine.dispose()
    assert differences == []


def test_setting_up_twice_changes_nothing(database_url: str) -> None:
    transactions = SqlTransactions(database_url)
    transactions.set_up()
    with transactions.writing() as records:
        records.farm.set_up(FARM)
    transactions.set_up()
    with transactions.reading() as records:
        assert records.farm.get() == FARM
    transactions.close()


def test_database_of_a_newer_release_is_refused(database_url: str) -> None:
    engine = set_up(database_url)
    with engine.begin() as raw:
        raw.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        raw.exec_driver_sql("UPDATE schema_gate SET readable_from = '9998'")
    engine.dispose()
    transactions = SqlTransactions(database_url)
    with pytest.raises(FarmNewerError, match="9999"):
        transactions.set_up()
    transactions.close()


def test_what_is_no_database_is_said_in_our_words(tmp_path: Path) -> None:
    path = tmp_path / "farm.db"
    path.write_bytes(b"this is no database at all" * 100)
    transactions = SqlTransactions(f"sqlite:///{path}")
    with pytest.raises(FarmDatabaseError, match="not a database"):
        transactions.set_up()
    transactions.close()


def test_sqlite_is_set_up_to_survive(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'farm.db'}")
    with engine.connect() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "foreign_keys", "synchronous", "busy_timeout")
        }
    engine.dispose()
    assert pragmas == {
        "journal_mode": "wal",
        "foreign_keys": 1,
        "synchronous": 2,
        "busy_timeout": 20_000,
    }


def test_farm_of_an_older_release_goes_to_the_first_site_collection_and_store(
    database_url: str,
) -> None:
    engine = open_engine(database_url)
    with engine.begin() as raw:
        upgrade_to(raw, "0003")
        raw.execute(
            text(
                "INSERT INTO server (id, name, listen, advertised, chunks_listen,"
                " chunks_advertised, token_digest, added_at, draining) VALUES (:id, 's1',"
                " '[\"127.0.0.1:1\"]', '[\"127.0.0.1:1\"]', '127.0.0.1:2', '127.0.0.1:2',"
                " :digest, '2026-01-01 00:00:00', false)"
            ),
            {"id": UUID(int=1).hex, "digest": bytes(32)},
        )
        raw.execute(
            text("INSERT INTO store (id, server_id, path) VALUES (:id, :server, '/srv')"),
            {"id": UUID(int=2).hex, "server": UUID(int=1).hex},
        )
        raw.execute(
            text(
                "INSERT INTO device (id, name, mac, key_digest, registered_at, write_cache)"
                " VALUES (:id, 'pc1', '52:54:00:00:00:01', :digest, '2026-01-01 00:00:00',"
                " 'device-ram')"
            ),
            {"id": UUID(int=3).hex, "digest": bytes(32)},
        )
    engine.dispose()
    expand(database_url)
    transactions = SqlTransactions(database_url)
    transactions.set_up()
    with transactions.reading() as records:
        (kept,), (machine,) = records.servers.all(), records.devices.all()
        assert records.sites.with_id(kept.site_id) == FIRST_SITE
        assert records.stores.with_id(kept.store.belongs_to) == FIRST_STORE
        assert (kept.store.id, str(kept.store.path)) == (UUID(int=2), "/srv")
        assert (kept.power_rating, kept.maintenance, kept.revision) == (NORMAL_POWER, False, 1)
        assert records.collections.with_id(machine.collection_id) == FIRST_COLLECTION
        assert (machine.type, machine.disabled) == (DeviceType.PRODUCTION, False)
    transactions.close()
