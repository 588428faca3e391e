import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from corral.farm.adapters.sql.engine import open_engine
from corral.farm.adapters.sql.schema import REVISIONS
from corral.farm.adapters.sql.tables import metadata
from corral.farm.adapters.sql.transactions import SqlTransactions
from corral.farm.domain.estate.errors import FarmDatabaseError, FarmNewerError


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


def test_migrations_lead_to_the_tables_that_the_code_uses(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'farm.db'}"
    SqlTransactions(url).set_up()
    engine = open_engine(url)
    with engine.connect() as connection:
        differences = compare_metadata(
            MigrationContext.configure(connection, opts={"compare_type": True}), metadata
        )
    engine.dispose()
    assert differences == []


def test_setting_up_twice_changes_nothing(tmp_path: Path) -> None:
    transactions = SqlTransactions(f"sqlite:///{tmp_path / 'farm.db'}")
    transactions.set_up()
    before = (tmp_path / "farm.db").stat().st_size
    transactions.set_up()
    transactions.close()
    assert (tmp_path / "farm.db").stat().st_size >= before


def test_database_of_a_newer_release_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "farm.db"
    SqlTransactions(f"sqlite:///{path}").set_up()
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
    raw.close()
    transactions = SqlTransactions(f"sqlite:///{path}")
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
