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
from corral.farm.bootstrap import durable_engine, open_farm
from corral.farm.domain.errors import DomainError
from corral.farm.domain.task.worker import BEAT, Worker
from corral.farm.entrypoints.worker.running import Runs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from types import FrameType

    from corral.farm.bootstrap import Application
    from corral.farm.domain.estate.server import ServerName
    from corral.farm.domain.task.schedule import ScheduleName
    from corral.farm.settings import FarmSettings

_STOP_SECONDS: Final = 30

_log = structlog.get_logger("corral.worker")


def serve(settings: FarmSettings, servers: Sequence[ServerName] | None) -> None:
    """Run tasks until a signal says stop; then hand back what is not done.

    ``servers``: whose stores this machine reaches; ``None`` for all. Raises ``ServerUnknownError``
    and what opening the farm raises.
    """
    application = open_farm(settings)
    for server in servers or ():
        application.show_server(server)
    name = f"{socket.gethostname()}-{os.getpid()}"
    structlog.contextvars.bind_contextvars(worker=name)
    clock = SystemClock()
    runs = Runs(application, clock, name)
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
    _log.info("serving", servers="all" if servers is None else ", ".join(servers))
    try:
        while not stopping.is_set():
            worker = Worker(name, None if servers is None else tuple(servers), clock.now())
            try:
                application.dispatch_tasks(engine, worker, time.monotonic())
            except DomainError as error:
                _log.warning("round left out", code=error.code, detail=error.message)
            stopping.wait(BEAT.total_seconds())
    finally:
        runs.stop()
        engine.close(_STOP_SECONDS)
        _say_farewell(application, name)
    _log.info("stopped")


def _say_farewell(application: Application, name: str) -> None:
    try:
        application.forget_worker(name)
    except DomainError as error:
        _log.warning("no farewell", detail=error.message)
