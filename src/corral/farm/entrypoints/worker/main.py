"""The life of a worker, from its name to its last task."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from typing import TYPE_CHECKING, Final

import structlog

from corral.farm.adapters.clock import SystemClock
from corral.farm.adapters.farm_folder.reader_key import reader_key
from corral.farm.adapters.folder_actor import folder_actor
from corral.farm.adapters.randomness import RandomTokens
from corral.farm.application.prune_tasks import AT_ONCE
from corral.farm.application.verbs import Application
from corral.farm.bootstrap import durable_engine, open_ports
from corral.farm.domain.errors import DomainError
from corral.farm.domain.task.worker import BEAT, Worker
from corral.farm.entrypoints.worker.listener import MetricsListener
from corral.farm.entrypoints.worker.metrics import WorkerMetrics
from corral.farm.entrypoints.worker.running import Runs
from corral.farm.entrypoints.worker.upgrading import Upgrading

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from types import FrameType

    from corral.farm.application.ports.tasks import TaskEngine
    from corral.farm.domain.access.token import Token
    from corral.farm.domain.estate.address import Address
    from corral.farm.domain.estate.server import ServerName
    from corral.farm.domain.task.schedule import ScheduleName
    from corral.farm.settings import FarmSettings

_STOP_SECONDS: Final = 30
_PRUNE_SECONDS: Final = 600.0
_ACCOUNT_SECONDS: Final = 10.0

_log = structlog.get_logger("corral.worker")


def serve(
    settings: FarmSettings,
    servers: Sequence[ServerName] | None,
    metrics_at: Address | None = None,
) -> None:
    """Run tasks until a signal says stop; then hand back what is not done.

    ``servers``: whose stores this machine reaches; ``None`` for all. ``metrics_at``: where metrics
    are read; ``None`` for nowhere. Raises ``ServerUnknownError``, ``MetricsAddressError``,
    ``AddressUnusableError`` and what opening the farm raises.
    """
    ports = open_ports(settings)
    application = Application(ports, folder_actor())
    for server in servers or ():
        application.show_server(server)
    # What a worker left that was killed may fill this machine's disk.
    ports.scratch.clear()
    name = f"{socket.gethostname()}-{os.getpid()}"
    structlog.contextvars.bind_contextvars(worker=name)
    clock = SystemClock()
    metrics = WorkerMetrics(name, application, ports.transactions.connections)
    listener = _listener(settings, metrics_at, metrics)
    runs = Runs(application, clock, name, metrics)
    stopping = threading.Event()

    def told(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, told)

    def fire(schedule: ScheduleName, at: datetime) -> None:
        task = application.begin_scheduled(schedule, at)
        if task is not None:
            _log.info("schedule begins", schedule=schedule, task=task.number)

    engine = durable_engine(settings, worker=name, servers=servers, run=runs.begin, fire=fire)
    engine.launch()
    if listener is not None:
        listener.start()
    _log.info("serving", servers="all" if servers is None else ", ".join(servers))
    round_of = _Rounds(application, engine, metrics)
    account = _Account(ports.transactions.refusal)
    upgrading = Upgrading(application, name)
    upgrading.start()
    try:
        while not stopping.is_set():
            reaches = None if servers is None else tuple(servers)
            round_of(
                Worker(name, reaches, clock.now(), account.problem(), left_step=upgrading.left)
            )
            stopping.wait(BEAT.total_seconds())
    finally:
        upgrading.stop()
        runs.stop()
        engine.close(_STOP_SECONDS)
        if listener is not None:
            listener.stop()
        _say_farewell(application, name)
    _log.info("stopped")


class _Account:
    """Whether the database would let this machine's services in, were they started now."""

    def __init__(self, refusal: Callable[[], str]) -> None:
        self._refusal = refusal
        self._problem = ""
        self._looks_at = 0.0

    def problem(self) -> str:
        """Give what was found within the last seconds."""
        if time.monotonic() >= self._looks_at:
            self._problem = self._refusal()
            self._looks_at = time.monotonic() + _ACCOUNT_SECONDS
        return self._problem


class _Rounds:
    """What a worker does each second: begins what may begin, and now and then forgets."""

    def __init__(
        self, application: Application, engine: TaskEngine, metrics: WorkerMetrics
    ) -> None:
        self._application = application
        self._engine = engine
        self._metrics = metrics
        self._prunes_at = 0.0

    def __call__(self, worker: Worker) -> None:
        """Do one round."""
        try:
            self._application.dispatch_tasks(self._engine, worker, time.monotonic())
            self._prune()
        except DomainError as error:
            _log.warning("round left out", code=error.code, detail=error.message)
            self._metrics.round_done(is_refused=True)
        else:
            self._metrics.round_done(is_refused=False)

    def _prune(self) -> None:
        if time.monotonic() < self._prunes_at:
            return
        is_over = self._application.prune_tasks(self._engine) < AT_ONCE
        self._prunes_at = time.monotonic() + (_PRUNE_SECONDS if is_over else 0.0)


def _listener(
    settings: FarmSettings, address: Address | None, metrics: WorkerMetrics
) -> MetricsListener | None:
    if address is None:
        return None

    def reader() -> Token:
        return reader_key(settings.folder, RandomTokens())

    return MetricsListener(address, metrics, reader)


def _say_farewell(application: Application, name: str) -> None:
    try:
        application.forget_worker(name)
    except DomainError as error:
        _log.warning("no farewell", detail=error.message)
