"""Scripts of the schema, run by the databases' own programs, as an administrator runs them."""

import subprocess
from pathlib import Path

import pytest
from sqlalchemy import inspect
from tests.postgresql import programs_or_skip

from corral.farm.adapters.sql import schema
from corral.farm.adapters.sql.engine import open_engine
from corral.farm.adapters.sql.options import WRITING
from corral.farm.adapters.sql.schema_changes import SqlDatabaseSchema
from corral.farm.adapters.sql.schema_script import schema_script
from corral.farm.domain.upgrade.errors import SchemaScriptInvalidError
from corral.farm.domain.upgrade.schema import SeenSchema

FIRST, LAST = "0031", schema.OWN.head


def at(url: str, revision: str) -> None:
    engine = open_engine(url)
    with engine.connect() as connection, connection.execution_options(**{WRITING: True}).begin():
        schema.upgrade(connection, revision, may_contract=True)
    engine.dispose()


def script_for(url: str) -> str:
    return schema_script(FIRST, LAST, "sqlite" if url.startswith("sqlite") else "postgresql")


def run(url: str, folder: Path) -> subprocess.CompletedProcess[str]:
    if url.startswith("sqlite:"):
        command = ["sqlite3", url.removeprefix("sqlite:///")]
    else:
        psql = str(programs_or_skip() / "psql")
        command = [psql, "--no-psqlrc", "--set", "ON_ERROR_STOP=1", url]
    return subprocess.run(
        command, input=script_for(url), capture_output=True, text=True, check=False, cwd=folder
    )


def test_a_script_takes_the_steps_once(database_url: str, tmp_path: Path) -> None:
    at(database_url, FIRST)
    first = run(database_url, tmp_path)
    assert first.returncode == 0, first.stderr
    assert "nothing to do" not in first.stdout + first.stderr
    assert SqlDatabaseSchema(database_url).look() == SeenSchema(LAST, "0032")
    again = run(database_url, tmp_path)
    assert again.returncode == 0, again.stderr
    assert "nothing to do" in again.stdout + again.stderr
    assert SqlDatabaseSchema(database_url).look() == SeenSchema(LAST, "0032")
    assert list(tmp_path.glob("*.tmp")) == []


@pytest.mark.parametrize("revision", ["0030", None])
def test_a_script_refuses_a_database_that_is_elsewhere(
    database_url: str, tmp_path: Path, revision: str | None
) -> None:
    if revision is not None:
        at(database_url, revision)
    else:
        engine = open_engine(database_url)
        with engine.begin() as raw:
            raw.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32))")
        engine.dispose()
    done = run(database_url, tmp_path)
    assert done.returncode != 0
    assert "nothing was done: the schema is" in done.stderr
    engine = open_engine(database_url)
    assert not inspect(engine).has_table("schema_gate")
    engine.dispose()


def test_a_script_leads_where_the_migrations_do(database_url: str, tmp_path: Path) -> None:
    at(database_url, FIRST)
    assert run(database_url, tmp_path).returncode == 0
    engine = open_engine(database_url)
    with engine.connect() as connection:
        assert schema.is_ready(connection)
        names = set(inspect(connection).get_table_names())
    engine.dispose()
    assert "schema_gate" in names


@pytest.mark.parametrize(
    ("first", "last", "dialect", "why"),
    [
        ("0031", "9999", "sqlite", "no step '9999'"),
        (LAST, FIRST, "sqlite", "a later step"),
        (LAST, LAST, "sqlite", "a later step"),
        ("0012", LAST, "sqlite", "the first that can be is 0031"),
        ("0031", LAST, "oracle", "'oracle' is no database"),
    ],
)
def test_what_no_script_can_do_is_said(first: str, last: str, dialect: str, why: str) -> None:
    with pytest.raises(SchemaScriptInvalidError, match=why):
        schema_script(first, last, dialect)
