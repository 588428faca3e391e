"""Farms whose tasks are run by workers of their own: on SQLite, and on PostgreSQL."""

import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Final

import pytest

from corral.farm.application.verbs import Application
from corral.farm.bootstrap import open_farm
from corral.farm.domain.task.number import TaskNumber
from corral.farm.domain.task.task import Task
from corral.farm.settings import FarmSettings
from tests.conftest import ON_POSTGRESQL
from tests.integration.farm.command import CORRAL, CommandLine
from tests.integration.farm.conftest import add_server
from tests.integration.farm.disks import bytes_under, write_random_disk
from tests.integration.farm.freezing import freeze

if TYPE_CHECKING:
    from tests.postgresql import PostgreSQL

SECONDS: Final = 90.0
"""How long anything may take before a test gives up."""
_LOOKS_A_SECOND: Final = 20
_CRAWLS_SECONDS: Final = 0.02


def wait_until(what: str, holds: Callable[[], object]) -> None:
    """Come back when it holds."""
    for _ in range(int(SECONDS * _LOOKS_A_SECOND)):
        if holds():
            return
        Event().wait(1 / _LOOKS_A_SECOND)
    pytest.fail(f"waited {SECONDS} seconds until {what}")


@dataclass
class Worker:
    """A process of ``corral serve worker``."""

    process: subprocess.Popen[bytes]
    log: Path
    farm: Path

    @property
    def says(self) -> str:
        return self.log.read_text()

    def kill(self) -> None:
        """Kill it as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Tell it to stop, and wait until it has."""
        self._end(signal.SIGTERM)
        assert self.process.returncode == 0, self.says

    def freeze(self) -> None:
        """Keep it from doing anything, as a machine that swaps itself to death does."""
        freeze(self.process.pid, self.farm)

    def thaw(self) -> None:
        """Let it go on, as if no time had passed."""
        self.process.send_signal(signal.SIGCONT)

    @contextmanager
    def crawling(self) -> Iterator[None]:
        """Let it work for a twentieth of the time: it hears what it is told before it is done.

        Signs of life go by the clock, and work by what the processor gives.
        """
        is_over = Event()

        def hold_back() -> None:
            while not is_over.is_set():
                self.thaw()
                is_over.wait(_CRAWLS_SECONDS)
                self.freeze()
                is_over.wait(19 * _CRAWLS_SECONDS)

        holding = Thread(target=hold_back)
        holding.start()
        try:
            yield
        finally:
            is_over.set()
            holding.join()
            self.thaw()

    def _end(self, how: signal.Signals) -> None:
        if self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(SECONDS)


@dataclass
class Workshop:
    """A farm with the server ``s1``, and its workers."""

    home: Path
    corral: CommandLine
    workers: list[Worker] = field(default_factory=list)

    @property
    def store(self) -> Path:
        return self.home / "store-s1"

    def worker(self, *servers: str, metrics: str | None = None) -> Worker:
        """Start a worker, and come back when it takes tasks."""
        log = self.home / f"worker-{len(self.workers)}.log"
        words = [word for server in servers for word in ("--server", server)]
        words += [] if metrics is None else ["--metrics", metrics]
        with log.open("wb") as file:
            process = subprocess.Popen(
                [CORRAL, "serve", "worker", *words],
                env=self.corral.environment(),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )
        worker = Worker(process, log, self.corral.farm)
        self.workers.append(worker)
        wait_until("the worker serves", lambda: "event=serving" in worker.says)
        return worker

    def disk(self, name: str, mebibytes: int) -> Path:
        return write_random_disk(self.home / name, mebibytes << 20)

    def start_import(self, disk: Path, image: str = "golden") -> int:
        """Queue an import; give the task's number."""
        number: int = self.corral.ask("image", "import", image, str(disk), "--detach")["number"]
        return number

    def task(self, number: int) -> Any:  # noqa: ANN401 - JSON
        return self.corral.ask("task", "show", str(number))

    @cached_property
    def records(self) -> Application:
        """The farm, to look at it more often than commands could."""
        return open_farm(FarmSettings.read(self.corral.farm, {}))

    def look(self, number: int) -> Task:
        return self.records.show_task(TaskNumber(number)).view.task

    def wait_for(self, number: int, *states: str) -> Any:  # noqa: ANN401 - JSON
        """Wait until a task is in one of the states; one that failed is told at once."""
        wait_until(
            f"task {number} is {' or '.join(states)}",
            lambda: self.look(number).state in (*states, "failed"),
        )
        task = self.task(number)
        assert task["state"] in states, task
        return task

    def freeze_halfway(self, number: int, worker: Worker) -> None:
        """Freeze a worker when chunks have got into the store, while its import is at work."""
        begun = bytes_under(self.store)
        with worker.crawling():
            wait_until("chunks get in", lambda: bytes_under(self.store) > begun + (8 << 20))
        worker.freeze()
        assert self.look(number).state == "running", worker.says

    def versions(self) -> list[str]:
        images = self.records.list_images()
        return [str(view.version.name) for image in images for view in image.versions]


@pytest.fixture(scope="package")
def big_disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A disk whose import is still at work when somebody has looked at it."""
    return write_random_disk(tmp_path_factory.mktemp("disks") / "big.raw", 192 << 20)


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    """On SQLite."""
    with opened_workshop(tmp_path) as workshop:
        yield workshop


@pytest.fixture(params=["sqlite", ON_POSTGRESQL])
def any_workshop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Workshop]:
    """On each kind of database: for what is about more than the workers themselves."""
    database = []
    if request.param == "postgresql":
        server: PostgreSQL = request.getfixturevalue("postgresql")
        database = ["--database", server.new_database()]
    with opened_workshop(tmp_path, *database) as workshop:
        yield workshop


@contextmanager
def opened_workshop(tmp_path: Path, *database: str) -> Iterator[Workshop]:
    corral = CommandLine(tmp_path / "farm", tmp_path / "corral.log")
    corral.ask("farm", "create", "small", *database)
    workshop = Workshop(tmp_path, corral)
    add_server(corral, "s1", workshop.store)
    try:
        yield workshop
    finally:
        for worker in workshop.workers:
            worker.thaw()
            worker.kill()
