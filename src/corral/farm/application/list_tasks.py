"""List tasks, and show one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from corral.farm.application.listing import Columns
from corral.farm.application.task_kinds import KINDS
from corral.farm.domain.task.state import TaskState, possible
from corral.farm.domain.task.worker import SILENCE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from corral.farm.application.ports.records import Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.task.number import TaskNumber
    from corral.farm.domain.task.task import LogLine, Task
    from corral.farm.domain.task.worker import Worker

ENDED_SHOWN: Final = 20


@dataclass(frozen=True)
class TaskView:
    """A task as it is to be shown."""

    task: Task
    waiting: str
    """Why nothing is heard of it, or why it does not run; empty where it only awaits its turn."""


@dataclass(frozen=True)
class TaskDetails:
    """Everything about one."""

    view: TaskView
    log: Sequence[LogLine]
    cancel_leaves: str
    goes_on: str
    """What others do all the same while it is paused; empty where everything rests."""
    possible: tuple[str, ...]
    """What can be asked of it now."""


TASKS: Final = Columns[TaskView](
    values={
        "number": lambda view: view.task.number,
        "kind": lambda view: view.task.request.kind.value,
        "object": lambda view: view.task.request.object,
        "state": lambda view: view.task.state.value,
        "owner": lambda view: view.task.request.owner.name,
        "server": lambda view: view.task.request.server,
        "worker": lambda view: view.task.worker,
        "schedule": lambda view: view.task.request.schedule,
        "active": lambda view: "yes" if view.task.state.is_active else "no",
    },
    identity=lambda view: f"{view.task.number:012}",
)


class ListTasks:
    """Gives every active task, whatever its age, and the last ones that ended."""

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    def __call__(self, *, ended: int = ENDED_SHOWN) -> tuple[TaskView, ...]:
        """Give them in the order of their numbers."""
        with self._transactions.reading() as records:
            tasks = sorted(
                [*records.tasks.active(), *records.tasks.ended(ended)],
                key=lambda task: task.number,
            )
            workers = records.workers.all()
        now = self._clock.now()
        return tuple(TaskView(task, waits_for(task, workers, now)) for task in tasks)


class ShowTask:
    """Gives one task with its log."""

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    def __call__(self, number: TaskNumber) -> TaskDetails:
        """Give it; raises ``TaskUnknownError``."""
        with self._transactions.reading() as records:
            task = records.tasks.get(number)
            log = records.tasks.log(number)
            workers = records.workers.all()
        return TaskDetails(
            TaskView(task, waits_for(task, workers, self._clock.now())),
            log,
            KINDS[task.request.kind].cancel_leaves,
            KINDS[task.request.kind].goes_on,
            possible(task.state),
        )


def waits_for(task: Task, workers: Iterable[Worker], now: datetime) -> str:
    """Say why a task does not get on."""
    alive = [worker for worker in workers if worker.is_alive(now)]
    if task.state is TaskState.QUEUED:
        server = task.request.server
        if not alive:
            return "no worker runs: start one with 'corral serve worker'"
        if not any(worker.reaches(server) for worker in alive):
            return (
                f"no worker reaches the store of {server}:"
                f" start one there with 'corral serve worker --server {server}'"
            )
        return task.waiting
    if task.state is TaskState.RUNNING:
        heard_at = task.progress.at or task.started_at or task.created_at
        if now - heard_at >= SILENCE:
            return f"{task.worker} has not been heard of since {heard_at:%Y-%m-%d %H:%M:%S} UTC"
    return ""
