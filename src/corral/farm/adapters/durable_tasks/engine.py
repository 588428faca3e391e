"""A worker's DBOS: queues that survive a crash, and schedules."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from dbos import DBOS, DBOSConfig, error

from corral.farm.adapters.durable_tasks.plain_json import PlainJson
from corral.farm.adapters.durable_tasks.states import STATES
from corral.farm.domain.task.engine import EngineState
from corral.farm.domain.task.number import TaskNumber
from corral.farm.domain.task.schedule import ScheduleName

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from sqlalchemy import Engine

    from corral.farm.domain.estate.server import ServerName
    from corral.farm.domain.task.limits import Limits
    from corral.farm.domain.task.schedule import Schedule
    from corral.farm.domain.task.task import Task

NAME: Final = "corral"
SCHEMA: Final = "corral_tasks"

# The version of what is kept in the queues (a number and a run), not of the code: workers of two
# releases take from the same queues, and what a run does is decided when it is claimed.
_VERSION: Final = "1"

_RUN: Final = "corral.run-task"
_FIRE: Final = "corral.begin-scheduled"
_ANYWHERE: Final = "farm"
_LOOK_SECONDS: Final = 0.5


class DurableTaskEngine:
    """DBOS, launched in this process. There can be one of it in a process at a time."""

    def __init__(  # noqa: PLR0913 - a worker's whole surroundings
        self,
        *,
        worker: str,
        servers: Sequence[ServerName] | None,
        run: Callable[[TaskNumber, int], None],
        fire: Callable[[ScheduleName, datetime], None],
        file: Path | None = None,
        database: Engine | None = None,
    ) -> None:
        """Keep queues in ``file``, an SQLite database, or else in ``database``."""
        self._worker = worker
        self._servers = servers
        self._run = run
        self._fire = fire
        self._file = file
        self._database = database
        self._queues: dict[str, tuple[int, int]] = {}
        self._schedules: tuple[Schedule, ...] | None = None
        self._fire_workflow: Callable[..., None] | None = None

    def launch(self) -> None:
        """Begin to take runs out of the queues of the servers, and of those of any server."""
        # The library has a handler of its own and says there, among others, where to buy more.
        logger = logging.getLogger("dbos")
        logger.addHandler(logging.NullHandler())
        logger.propagate = True
        config: DBOSConfig = {
            "name": NAME,
            "executor_id": self._worker,
            "application_version": _VERSION,
            "log_level": "WARNING",
            "enable_otlp": False,
            "serializer": PlainJson(),
            "scheduler_polling_interval_sec": 1.0,
            "dbos_system_schema": SCHEMA,
            "use_listen_notify": False,
        }
        if self._file is not None:
            _prepare(self._file)
            config["system_database_url"] = f"sqlite:///{self._file}"
        else:
            config["system_database_engine"] = self._database
        DBOS(config=config)
        DBOS.workflow(name=_RUN)(self._run_workflow())
        self._fire_workflow = DBOS.workflow(name=_FIRE)(self._firing_workflow())
        if self._servers is not None:
            DBOS.listen_queues([_ANYWHERE, *map(_queue_of, self._servers)])
        DBOS.launch()

    def close(self, seconds: int) -> None:
        """Take out nothing more, wait for runs that began for so long, and let go."""
        DBOS.destroy(destroy_registry=True, workflow_completion_timeout_sec=seconds)

    def states(self, tasks: Collection[Task]) -> Mapping[TaskNumber, EngineState]:
        """Look the present runs up."""
        if not tasks:
            return {}
        by_id = {_id(task.number, task.run): task.number for task in tasks}
        found = DBOS.list_workflows(workflow_ids=list(by_id), load_input=False, load_output=False)
        said = {by_id[one.workflow_id]: STATES[one.status] for one in found}
        return {task.number: said.get(task.number, EngineState.UNKNOWN) for task in tasks}

    def hand_over(self, task: Task, limits: Limits) -> None:
        """Queue the present run, in a place of its server and its kind."""
        queue = self._queue(task, limits)
        DBOS.enqueue_workflow_with_options(
            {
                "workflow_name": _RUN,
                "queue_name": queue,
                "workflow_id": _id(task.number, task.run),
                "app_version": _VERSION,
                "queue_partition_key": task.request.kind.value,
            },
            task.number,
            task.run,
        )

    def withdraw(self, number: TaskNumber, run: int) -> None:
        """Cancel the run's workflow, which frees its place in the queue."""
        try:
            DBOS.cancel_workflow(_id(number, run))
        except error.DBOSNonExistentWorkflowError:
            return

    def forget(self, tasks: Collection[Task]) -> None:
        """Delete the workflow of each run."""
        ids = [_id(task.number, run) for task in tasks for run in range(1, task.run + 1)]
        if ids:
            DBOS.delete_workflows(ids)

    def keep_schedules(self, schedules: Collection[Schedule]) -> None:
        """Make the schedules of the engine these."""
        wanted = tuple(schedules)
        if wanted == self._schedules or self._fire_workflow is None:
            return
        known = {one["schedule_name"] for one in DBOS.list_schedules()}
        for name in known - {schedule.name for schedule in wanted}:
            DBOS.delete_schedule(name)
        DBOS.apply_schedules(
            [
                {
                    "schedule_name": schedule.name,
                    "workflow_fn": self._fire_workflow,
                    "schedule": schedule.times.cron,
                    "cron_timezone": schedule.times.timezone,
                    "context": schedule.name,
                }
                for schedule in wanted
            ]
        )
        self._schedules = wanted

    def _queue(self, task: Task, limits: Limits) -> str:
        server = task.request.server
        name = _ANYWHERE if server is None else _queue_of(server)
        of_kind = limits.of_kind[task.request.kind] if server is None else limits.of_kind_on_server
        most = limits.of_farm if server is None else limits.of_server
        wanted = (most, max(of_kind, self._queues.get(name, (0, 0))[1]))
        if self._queues.get(name) != wanted:
            DBOS.register_queue(
                name,
                global_concurrency=wanted[0],
                partition_concurrency=wanted[1],
                polling_interval_sec=_LOOK_SECONDS,
                on_conflict="always_update",
            )
            self._queues[name] = wanted
        return name

    def _run_workflow(self) -> Callable[[int, int], None]:
        def run_task(number: int, run: int) -> None:
            self._run(TaskNumber(number), run)

        return run_task

    def _firing_workflow(self) -> Callable[[Any, Any], None]:
        def begin_scheduled(at: Any, name: Any) -> None:  # noqa: ANN401 - JSON, or the library's
            when = at if isinstance(at, datetime) else datetime.fromisoformat(at)
            self._fire(ScheduleName(name), when)

        return begin_scheduled


def _id(number: TaskNumber, run: int) -> str:
    return f"task-{number}-run-{run}"


def _queue_of(server: ServerName) -> str:
    return f"server/{server}"


def _prepare(file: Path) -> None:
    """Make the file private, and let readers go on while somebody writes."""
    file.touch(mode=0o600)
    with closing(sqlite3.connect(file, timeout=20)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
