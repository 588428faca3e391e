"""What becomes of a farm whose database goes away and comes back."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from demo.processes import free_port

from corral.farm.adapters.sql.engine import open_engine
from corral.farm.adapters.sql.failures import translated
from corral.farm.adapters.sql.postgresql import Connector
from corral.farm.adapters.sql.transactions import SqlTransactions
from corral.farm.domain.estate.errors import (
    FarmDatabaseBusyError,
    FarmDatabaseLostError,
    FarmDatabaseUnreachableError,
)
from tests.contract.things import image
from tests.integration.postgresql.conftest import CommandLine
from tests.postgresql import USER, PostgreSQL

pytestmark = pytest.mark.postgresql


@pytest.fixture
def transactions(mortal: PostgreSQL) -> Iterator[SqlTransactions]:
    """What a process that lives long holds, with a connection kept open."""
    sql = SqlTransactions(mortal.new_database())
    sql.set_up()
    add(sql, "before", 1)
    yield sql
    sql.close()


def add(to: SqlTransactions, name: str, number: int) -> None:
    with to.writing() as records:
        records.images.add(image(name, number))


def names(of: SqlTransactions) -> list[str]:
    with of.reading() as records:
        return [str(one.name) for one in records.images.all()]


def test_server_killed_between_two_steps_and_started_again(
    mortal: PostgreSQL, transactions: SqlTransactions
) -> None:
    mortal.kill()
    mortal.start()
    assert names(transactions) == ["before"]
    add(transactions, "later", 2)
    assert names(transactions) == ["before", "later"]


def test_server_that_stays_away_is_said_and_met_again(
    mortal: PostgreSQL, transactions: SqlTransactions
) -> None:
    mortal.kill()
    with pytest.raises(FarmDatabaseUnreachableError):
        names(transactions)
    mortal.start()
    assert names(transactions) == ["before"]


def test_step_waits_for_a_server_that_is_starting(
    mortal: PostgreSQL, transactions: SqlTransactions
) -> None:
    mortal.kill()
    started = threading.Thread(target=mortal.start)
    asked = Connector(mortal.url("postgres"), [0.5] * 60, started.join)
    with pytest.raises(FarmDatabaseUnreachableError):
        Connector(mortal.url("postgres"), [])()
    started.start()
    asked().close()
    started.join()
    assert names(transactions) == ["before"]


def test_commands_before_and_after_a_kill(corral: CommandLine, mortal: PostgreSQL) -> None:
    assert corral("farm", "create", "home", "--database", mortal.new_database()).code == 0
    mortal.kill()
    said = corral("farm", "show")
    assert (said.code, said.problem) == (4, "farm-database-unreachable")
    mortal.start()
    assert corral("farm", "show").json["name"] == "home"


def test_connection_lost_in_the_middle_keeps_nothing(
    mortal: PostgreSQL, transactions: SqlTransactions
) -> None:
    def lose() -> None:
        with transactions.writing() as records:
            records.images.add(image("half", 2))
            with mortal.connection("postgres") as other:
                other.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name = 'corral'"
                )
            records.images.add(image("other", 3))

    with pytest.raises(FarmDatabaseLostError):
        lose()
    assert names(transactions) == ["before"]


def test_second_host_of_the_url_serves_while_the_first_is_dead(
    mortal: PostgreSQL, corral: CommandLine
) -> None:
    name = mortal.new_database().partition("?")[0].rpartition("/")[2]
    url = f"postgresql://{USER}@127.0.0.1:{free_port()},127.0.0.1:{mortal.port}/{name}"
    url += "?target_session_attrs=read-write"
    pass_file = str(mortal.pass_file())
    assert corral("farm", "create", "home", "--database", url, PGPASSFILE=pass_file).code == 0
    assert corral("farm", "show", PGPASSFILE=pass_file).json["name"] == "home"
    mortal.kill()
    said = corral("farm", "show", PGPASSFILE=pass_file)
    mortal.start()
    assert (said.code, said.problem) == (4, "farm-database-unreachable")
    assert str(mortal.port) in said.err


def test_standby_is_not_taken_for_the_database(mortal: PostgreSQL) -> None:
    url = mortal.new_database()
    name = url.partition("?")[0].rpartition("/")[2]
    with mortal.connection("postgres") as connection:
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    with pytest.raises(FarmDatabaseUnreachableError, match="read-only"):
        Connector(url, [])()


def test_who_waits_too_long_is_told_that_it_is_busy(mortal: PostgreSQL, tmp_path: Path) -> None:
    engine = open_engine(mortal.new_database())
    with engine.connect() as connection:
        connection.exec_driver_sql("SET LOCAL statement_timeout = '1ms'")
        with pytest.raises(FarmDatabaseBusyError), translated():
            connection.exec_driver_sql("SELECT pg_sleep(60)")
    engine.dispose()
