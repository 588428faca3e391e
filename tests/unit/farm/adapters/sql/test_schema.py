from pathlib import Path
from uuid import UUID

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text
from tests.contract.things import FARM

from corral.farm.adapters.sql.engine import open_engine
from corral.farm.adapters.sql.schema import REVISIONS
from corral.farm.adapters.sql.tables import metadata
from corral.farm.adapters.sql.transactions import SqlTransactions
from corral.farm.domain.delivery.device import DeviceType
from corral.farm.domain.estate.capacity import NORMAL_POWER
from corral.farm.domain.estate.collection import FIRST_COLLECTION
from corral.farm.domain.estate.errors import FarmDatabaseError, FarmNewerError
from corral.farm.domain.estate.site import FIRST_SITE
from corral.farm.domain.estate.store import FIRST_STORE


def set_up(url: str) -> Engine:
    transactions = SqlTransactions(url)
    transactions.set_up()
    transactions.close()
    return open_engine(url)


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
