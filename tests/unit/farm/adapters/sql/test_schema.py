from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine
from tests.contract.things import FARM

from corral.farm.adapters.sql.engine import open_engine
from corral.farm.adapters.sql.schema import REVISIONS
from corral.farm.adapters.sql.tables import metadata
from corral.farm.adapters.sql.transactions import SqlTransactions
from corral.farm.domain.estate.errors import FarmDatabaseError, FarmNewerError


def set_up(url: str) -> Engine:
    transactions = SqlTransactions(url)
    transactions.set_up()
    transactions.close()
    return open_engine(url)


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
