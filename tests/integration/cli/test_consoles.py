"""A command leaves behind who gave it, and with which release; and is not kept by that."""

import getpass
import socket
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from corral.farm.adapters.sql.transactions import SqlTransactions
from corral.farm.bootstrap import open_ports
from corral.farm.domain.library.release import Release
from corral.farm.domain.upgrade.inventory import LATELY, SeenConsole
from corral.farm.settings import FarmSettings
from tests.contract.things import NOW
from tests.integration.farm.command import CommandLine

ME = f"{getpass.getuser()}@{socket.gethostname()}"


@pytest.fixture
def corral(tmp_path: Path) -> CommandLine:
    corral = CommandLine(tmp_path / "farm", tmp_path / "corral.log")
    corral.ask("farm", "create", "small")
    return corral


def known(farm: Path) -> list[SeenConsole]:
    transactions = open_ports(FarmSettings.embedded(farm)).transactions
    with transactions.reading() as records:
        found = list(records.consoles.all())
    transactions.close()
    return found


def test_a_command_is_remembered_by_person_machine_and_release(corral: CommandLine) -> None:
    corral.ask("device", "list")
    (one,) = known(corral.farm)
    assert one.who == ME
    assert str(one.release) == corral.ask("schema", "show")["release"]
    corral.ask("device", "list")
    assert known(corral.farm) == [one], "nothing is written twice within minutes"


def test_a_command_waits_for_nobody_to_be_remembered(corral: CommandLine) -> None:
    with closing(sqlite3.connect(corral.farm / "farm.db", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        # Waiting for the lock would take the 20 seconds for which others do.
        corral.ask("device", "list")
        writer.execute("ROLLBACK")
    assert known(corral.farm) == []


def test_a_database_that_can_only_be_read_goes_without(corral: CommandLine) -> None:
    file = corral.farm / "farm.db"
    transactions = SqlTransactions(f"sqlite:///file:{file}?mode=ro&uri=true")
    transactions.set_up()
    transactions.demand_console("5.0")
    transactions.note_console(SeenConsole("ann@desk", Release.parse("5.0"), NOW))
    with transactions.reading() as records:
        assert records.farm.get().name == "small"
        assert records.consoles.all() == []
    transactions.close()


def test_what_was_not_seen_for_long_is_forgotten(tmp_path: Path) -> None:
    transactions = SqlTransactions(f"sqlite:///{tmp_path / 'farm.db'}")
    transactions.set_up()
    release = Release.parse("5.0")
    transactions.note_console(SeenConsole("ann@desk", release, NOW))
    transactions.note_console(SeenConsole("ann@desk", release, NOW + timedelta(minutes=9)))
    with transactions.reading() as records:
        assert records.consoles.all() == [SeenConsole("ann@desk", release, NOW)]
    later = SeenConsole("bob@desk", release, NOW + LATELY + timedelta(seconds=1))
    transactions.note_console(later)
    with transactions.reading() as records:
        assert records.consoles.all() == [later]
    transactions.close()
