"""What the farm remembers of tasks, and the engine that starts them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from corral.farm.domain.task.engine import EngineState
    from corral.farm.domain.task.limits import Limits
    from corral.farm.domain.task.number import TaskNumber
    from corral.farm.domain.task.schedule import Schedule, ScheduleName
    from corral.farm.domain.task.task import LogLine, Task
    from corral.farm.domain.task.worker import Worker


class Tasks(Protocol):
    """The tasks, in the order of their numbers."""

    def next_number(self) -> TaskNumber:
        """Give the number of the next task; only writers may rely on it."""
        ...

    def add(self, task: Task) -> None:
        """Add one."""
        ...

    def get(self, number: TaskNumber) -> Task:
        """Give the one of that number; raises ``TaskUnknownError``."""
        ...

    def with_origin(self, origin: str) -> Task | None:
        """Give the one of that origin, if there is one."""
        ...

    def change(self, seen: Task, after: Task) -> None:
        """Replace it as somebody wants it; its request stays as it is."""
        ...

    def keep(self, task: Task) -> None:
        """Replace the one of the same number as its worker says; its request stays as it is."""
        ...

    def active(self) -> Sequence[Task]:
        """Give all that are queued, running or paused, whatever their age."""
        ...

    def ended(self, limit: int) -> Sequence[Task]:
        """Give the last ``limit`` of those that have ended."""
        ...

    def prune(self, before: datetime, at_most: int) -> Sequence[Task]:
        """Forget those that ended before that instant, with their logs, and give them.

        The oldest first, and no more than ``at_most``. The task with the highest number stays: its
        number must not be given again.
        """
        ...

    def note(self, number: TaskNumber, line: LogLine) -> None:
        """Add a line to a task's log."""
        ...

    def log(self, number: TaskNumber) -> Sequence[LogLine]:
        """Give a task's log, oldest line first."""
        ...


class Schedules(Protocol):
    """The schedules."""

    def add(self, schedule: Schedule) -> None:
        """Add one; raises ``ScheduleNameTakenError``."""
        ...

    def get(self, name: ScheduleName) -> Schedule:
        """Give the one of that name; raises ``ScheduleUnknownError``."""
        ...

    def find(self, name: ScheduleName) -> Schedule | None:
        """Give the one of that name, if there is one."""
        ...

    def keep(self, schedule: Schedule) -> None:
        """Replace the one of the same name, a run of which has begun."""
        ...

    def remove(self, name: ScheduleName) -> None:
        """Forget it; quietly done if there is none."""
        ...

    def all(self) -> Sequence[Schedule]:
        """Give all of them."""
        ...


class Workers(Protocol):
    """The processes that run tasks."""

    def put(self, worker: Worker) -> None:
        """Remember that it was heard of."""
        ...

    def remove(self, name: str) -> None:
        """Forget it; quietly done if there is none."""
        ...

    def all(self) -> Sequence[Worker]:
        """Give all of them."""
        ...


class TaskEngine(Protocol):
    """Queues that survive a crash, and clocks: what decides when a run starts, and where.

    A run is a task's number with its run number. Whatever is handed over starts once, on a worker
    that reaches the task's server, as soon as the queue's limits let it.
    """

    def states(self, tasks: Collection[Task]) -> Mapping[TaskNumber, EngineState]:
        """Say what became of the present run of each."""
        ...

    def hand_over(self, task: Task, limits: Limits) -> None:
        """Queue the present run; quietly done if it is known already."""
        ...

    def withdraw(self, number: TaskNumber, run: int) -> None:
        """Forget a run, begun or not, so that it takes up no place; quietly done if unknown."""
        ...

    def forget(self, tasks: Collection[Task]) -> None:
        """Keep nothing of any run of these tasks, which have ended."""
        ...

    def keep_schedules(self, schedules: Collection[Schedule]) -> None:
        """Begin runs of exactly these from now on."""
        ...
