"""A server's machine: a supervisor that runs its stream process, and what is seen of both."""

import json
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from demo.processes import Program, Programs, wait_until

from corral.farm.adapters.clock import SystemClock
from corral.farm.adapters.farm_folder.releases_folder import ReleasesFolder
from corral.farm.adapters.sql.transactions import SqlTransactions
from corral.farm.application.verbs import Application
from corral.farm.bootstrap import open_farm
from corral.farm.domain.estate.releases import OrderedKit, OrderedSwitch, ReleaseOrder
from corral.farm.domain.estate.server import server_name
from corral.farm.domain.image.root import RootHash
from corral.farm.domain.supervision.record import Supervision
from corral.farm.entrypoints.cli.server_releases import releases_document
from corral.farm.settings import FarmSettings
from tests.integration.farm.command import CORRAL, CommandLine
from tests.integration.releases.kits import SECONDS


@dataclass
class Machine:
    """A releases folder, and who works with it."""

    path: Path
    programs: Programs
    stream: Path
    """The server's file."""
    publishers: str
    prove_within: float = SECONDS
    supervisor: Program | None = None
    supervisors: int = 0
    folder: ReleasesFolder = field(init=False)

    def __post_init__(self) -> None:
        self.path.mkdir()
        self.folder = ReleasesFolder(self.path)
        self.folder.publishers.write_text(self.publishers)
        self.folder.services.write_text(
            "format = 1\n\n[[service]]\nname = 'stream'\n"
            f"words = ['serve', 'stream', '--config', '{self.stream}']\nstops = 3\n"
        )

    def serves_api_too(self, farm: Path) -> None:
        """Have an API among the services, which ends before the stream process does."""
        with self.folder.services.open("a") as file:
            file.write(
                "\n[[service]]\nname = 'api'\n"
                f"words = ['serve', 'api', '--farm', '{farm}', '--listen', '127.0.0.1:0']\n"
            )

    def start(self) -> None:
        """Start the supervisor."""
        self.supervisors += 1
        self.supervisor = self.programs.start(
            f"supervisor-{self.path.name}",
            [
                *(CORRAL, "serve", "supervisor", "--releases", str(self.path)),
                *("--prove-within", str(self.prove_within), "--settle", "0.2"),
            ],
        )

    def kill_supervisor(self) -> None:
        """Kill it, and wait until its services have gone with it."""
        assert self.supervisor is not None
        self.supervisor.kill()
        wait_until(lambda: not self.streams(), SECONDS, "the stream process outlived it")

    def kill_stream(self) -> None:
        (pid,) = self.streams()
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: pid not in self.streams(), SECONDS, "the stream process did not die")

    @contextmanager
    def frozen_stream(self) -> Iterator[int]:
        """Have the stream process stand still, so that it does not end when it is told to."""
        (pid,) = self.streams()
        os.kill(pid, signal.SIGSTOP)
        try:
            yield pid
        finally:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def stop(self) -> None:
        if self.supervisor is not None:
            self.programs.stop(self.supervisor)

    def services(self) -> list[int]:
        """Give the process ids of all that its supervisor has started."""
        if self.supervisor is None:
            return []
        told = f"CORRAL_RELEASES={self.path}".encode()
        return [pid for pid in _pids() if told in _environment(pid)]

    @staticmethod
    def release_of(pid: int) -> str:
        """Give the release that a service was started from; empty for the package's."""
        for one in _environment(pid):
            if one.startswith(b"PYTHONPATH="):
                return Path(one.partition(b"=")[2].decode()).parent.name
        return ""

    def data_planes(self) -> set[Path]:
        """Give the files of the data plane that its stream processes run."""
        return {
            Path(line.split(maxsplit=5)[5])
            for pid in self.streams()
            for line in Path(f"/proc/{pid}/maps").read_text().splitlines()
            if "/corral_native/" in line
        }

    def streams(self) -> list[int]:
        """Give the process ids of this machine's stream processes."""
        return [pid for pid in _pids() if str(self.stream).encode() in _read(pid, "cmdline")]

    def state(self) -> Supervision:
        state = self.folder.load()
        return Supervision("") if state is None else state

    def wait_for(self, **facts: object) -> Supervision:
        """Wait until the record is so."""

        def is_so() -> bool:
            assert self.supervisor is not None
            self.programs.expect_running(self.supervisor)
            state = self.state()
            return all(getattr(state, fact) == value for fact, value in facts.items())

        try:
            wait_until(is_so, SECONDS, f"the releases are not {facts}")
        except Exception as error:
            error.add_note(repr(self.state()))
            error.add_note(self.log()[-6000:])
            raise
        return self.state()

    def log(self) -> str:
        return (self.programs.logs / f"supervisor-{self.path.name}.log").read_text()


def _pids() -> list[int]:
    return [int(one.name) for one in Path("/proc").iterdir() if one.name.isdecimal()]


def _environment(pid: int) -> list[bytes]:
    return _read(pid, "environ")


def _read(pid: int, what: str) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/{what}").read_bytes().split(b"\0")
    except OSError:
        return []


@dataclass
class Orders:
    """What the farm orders; its numbers rise."""

    corral: CommandLine
    number: int = 0
    since: datetime = field(default_factory=SystemClock().now)
    """What was said before is of another test."""

    @cached_property
    def _application(self) -> Application:
        """The farm as commands open it."""
        return open_farm(self._settings)

    @cached_property
    def _settings(self) -> FarmSettings:
        return FarmSettings.embedded(self.corral.farm)

    @cached_property
    def _transactions(self) -> SqlTransactions:
        """Where an upgrade writes its orders."""
        return SqlTransactions(self._settings.database_url)

    def give(self, server: str, number: int | None = None, **order: Any) -> int:  # noqa: ANN401 - as `_order`
        """Order something; give the number of the order."""
        if number is None:
            self.number += 1
            number = self.number
        ordered = _order(number, **order)
        with self._transactions.writing() as records:
            records.release_orders.put(records.servers.get(server_name(server)).id, ordered)
            records.farm.raise_generation()
        return number

    def forget(self) -> None:
        """Order nothing more; the numbers go on."""
        for view in self._application.list_servers():
            with self._transactions.reading() as records:
                ordered = records.release_orders.find(view.server.id)
            if ordered is not None:
                self.give(view.server.name)
        self.listen_anew()

    def listen_anew(self) -> None:
        """Leave aside what was said until now."""
        self.since = SystemClock().now()

    def said(self, server: str) -> dict[str, Any]:
        """Give what a server last said of its releases."""
        report = self._application.show_server(server_name(server)).server.last_report
        if report is None or report.at < self.since:
            return {}
        return releases_document(report.releases) or {}

    def wait_for(self, server: str, **facts: object) -> dict[str, Any]:
        """Wait until a server says so."""
        seen: dict[str, Any] = {}

        def is_so() -> bool:
            seen.clear()
            seen.update(self.said(server))
            return all(seen.get(fact) == value for fact, value in facts.items())

        try:
            wait_until(is_so, SECONDS, f"{server} does not say {facts}")
        except Exception as error:
            error.add_note(json.dumps(seen, indent=1))
            raise
        return seen

    def problem(self, server: str, number: int) -> Mapping[str, Any]:
        """Wait until a server says why it has not done an order."""
        seen: dict[str, Any] = {}

        def is_said() -> bool:
            seen.clear()
            seen.update(self.said(server).get("problem") or {})
            return seen.get("order") == number

        wait_until(is_said, SECONDS, f"{server} has no problem with order {number}")
        return seen


def _order(
    number: int,
    install: dict[str, Any] | None = None,
    run: dict[str, str] | None = None,
    *,
    rest: bool = False,
) -> ReleaseOrder:
    kit = None
    if install is not None:
        kit = OrderedKit(**{**install, "root": RootHash(install["root"])})
    return ReleaseOrder(number, kit, None if run is None else OrderedSwitch(**run), rest=rest)
