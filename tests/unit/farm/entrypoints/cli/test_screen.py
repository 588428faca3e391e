from contextlib import contextmanager
from datetime import timedelta
from types import MappingProxyType
from typing import NoReturn

from rich.console import Console
from tests.farm_in_memory import FarmInMemory, disk

from corral.farm.application.take_server_report import ServerReport
from corral.farm.domain.estate.errors import FarmDatabaseUnreachableError
from corral.farm.domain.estate.store import FIRST_STORE
from corral.farm.entrypoints.cli.screen import FarmScreen


def snapshot() -> str:
    return "devices start from the snapshot"


def drawn(screen: FarmScreen) -> str:
    console = Console(width=160, record=True, file=None, quiet=False, force_terminal=False)
    with console.capture() as seen:
        console.print(screen.drawn())
    return seen.get()


def test_farm_is_on_one_screen(farm: FarmInMemory) -> None:
    farm.application.set_copies(FIRST_STORE.name, None)
    first, _second = farm.add_server("s1"), farm.add_server("s2")
    version = farm.import_disk("debian", disk(1)).version
    device = farm.add_device("pc1", "debian")
    farm.report(first, holds=(version,), sessions=((device, version),))
    text = drawn(FarmScreen(farm.application, snapshot))
    assert "home: 1 of 2 servers online, 1 of 1 devices stream" in text
    assert "pc1" in text
    assert "debian/1" in text
    assert "1 in step, 1 unreachable" in text


def test_a_low_terminal_cuts_off_streams_and_neither_warnings_nor_what_is_away(
    farm: FarmInMemory,
) -> None:
    servers = [farm.add_server(f"s{number:02}") for number in range(20)]
    version = farm.import_disk("debian", disk(1)).version
    devices = [farm.add_device(f"pc{number}", "debian") for number in range(30)]
    farm.wait(6)
    for server in servers[:-1]:
        sessions = tuple((device, version) for device in devices) if server == servers[0] else ()
        farm.report(server, sessions=sessions)
    top = drawn(FarmScreen(farm.application, snapshot)).splitlines()[:24]
    assert "19 of 20 servers online, 30 of 30 devices stream" in top[0]
    assert any(line.startswith("warning: server s19: it has not reported") for line in top)
    assert any(line.startswith("s19") and "unknown" in line for line in top)
    assert any("12 more: corral server list" in line for line in top)
    assert any(line.startswith("replication:") for line in top)


def test_rate_is_that_between_two_reports(farm: FarmInMemory) -> None:
    server = farm.add_server("s1")
    screen = FarmScreen(farm.application, snapshot)

    def report(sent: int) -> None:
        farm.ports.clock.advance(timedelta(seconds=2))
        counters = MappingProxyType({"bytes": sent, "stalled": 3})
        farm.application.take_server_report(
            server.id, ServerReport(farm.generation, counters=counters)
        )

    report(1 << 20)
    drawn(screen)
    report(5 << 20)
    assert "2.0 MiB/s" in drawn(screen)
    # Looked at again before there is a new report, the rate stands.
    assert "2.0 MiB/s" in drawn(screen)


def test_database_that_is_away_is_said_above_what_was_last_seen(farm: FarmInMemory) -> None:
    farm.add_server("s1")
    screen = FarmScreen(farm.application, snapshot)
    assert "snapshot" not in drawn(screen)

    @contextmanager
    def away() -> NoReturn:
        reason = "nobody answers"
        raise FarmDatabaseUnreachableError(reason)

    farm.ports.transactions.reading = away  # type: ignore[method-assign]
    text = drawn(screen)
    assert "farm-database-unreachable" in text
    assert "devices start from the snapshot" in text
    assert "s1" in text
