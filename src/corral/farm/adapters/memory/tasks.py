"""Tasks, schedules and workers in memory, and an engine that starts what it is told to."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from corral.farm.domain.task.engine import EngineState
from corral.farm.domain.task.errors import (
    ScheduleNameTakenError,
    ScheduleUnknownError,
    TaskUnknownError,
)
from corral.farm.domain.task.number import TaskNumber

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from corral.farm.adapters.memory.state import State
    from corral.farm.domain.task.limits import Limits
    from corral.farm.domain.task.schedule import Schedule, ScheduleName
    from corral.farm.domain.task.task import LogLine, Task
    from corral.farm.domain.task.worker import Worker


class MemoryTasks:
    """Tasks by number."""

    def __init__(self, state: State) -> None:
        self._state = state

    def next_number(self) -> TaskNumber:
        """Give the one after the highest."""
        return TaskNumber(max(self._state.tasks, default=0) + 1)

    def add(self, task: Task) -> None:
        """Add one."""
        self._state.tasks[task.number] = task

    def get(self, number: TaskNumber) -> Task:
        """Give the one of that number."""
        try:
            return self._state.tasks[number]
        except KeyError:
            raise TaskUnknownError(number) from None

    def with_origin(self, origin: str) -> Task | None:
        """Give the one of that origin."""
        tasks = self._state.tasks.values()
        return next((task for task in tasks if task.request.origin == origin), None)

    def change(self, seen: Task, after: Task) -> None:
        """Replace it; the request stays."""
        self.keep(replace(after, number=seen.number))

    def keep(self, task: Task) -> None:
        """Replace it; the request stays."""
        self._state.tasks[task.number] = replace(task, request=self.get(task.number).request)

    def active(self) -> Sequence[Task]:
        """Give those that something is still to come of."""
        return [task for task in self._ordered() if task.state.is_active]

    def ended(self, limit: int) -> Sequence[Task]:
        """Give the last of the others."""
        ended = [task for task in self._ordered() if not task.state.is_active]
        return ended[max(0, len(ended) - limit) :]

    def prune(self, before: datetime, at_most: int) -> Sequence[Task]:
        """Forget the oldest of those that ended before."""
        ended = [
            task
            for task in self._ordered()[:-1]
            if not task.state.is_active and task.ended_at is not None and task.ended_at < before
        ]
        pruned = ended[:at_most]
        for task in pruned:
            del self._state.tasks[task.number]
            self._state.task_logs.pop(task.number, None)
        return pruned

    def note(self, number: TaskNumber, line: LogLine) -> None:
        """Add a line."""
        self._state.task_logs[number] = (*self._state.task_logs.get(number, ()), line)

    def log(self, number: TaskNumber) -> Sequence[LogLine]:
        """Give the lines."""
        return self._state.task_logs.get(number, ())

    def _ordered(self) -> list[Task]:
        return [self._state.tasks[number] for number in sorted(self._state.tasks)]


class MemorySchedules:
    """Schedules by name."""

    def __init__(self, state: State) -> None:
        self._state = state

    def add(self, schedule: Schedule) -> None:
        """Add one."""
        if schedule.name in self._state.schedules:
            raise ScheduleNameTakenError(schedule.name)
        self._state.schedules[schedule.name] = schedule

    def get(self, name: ScheduleName) -> Schedule:
        """Give the one of that name."""
        try:
            return self._state.schedules[name]
        except KeyError:
            raise ScheduleUnknownError(name) from None

    def find(self, name: ScheduleName) -> Schedule | None:
        """Give the one of that name, if there is one."""
        return self._state.schedules.get(name)

    def keep(self, schedule: Schedule) -> None:
        """Replace it."""
        self._state.schedules[schedule.name] = schedule

    def remove(self, name: ScheduleName) -> None:
        """Forget it."""
        self._state.schedules.pop(name, None)

    def all(self) -> Sequence[Schedule]:
        """Give all of them."""
        return [self._state.schedules[name] for name in sorted(self._state.schedules)]


class MemoryWorkers:
    """Workers by name."""

    def __init__(self, state: State) -> None:
        self._state = state

    def put(self, worker: Worker) -> None:
        """Remember it."""
        self._state.workers[worker.name] = worker

    def remove(self, name: str) -> None:
        """Forget it."""
        self._state.workers.pop(name, None)

    def all(self) -> Sequence[Worker]:
        """Give all of them."""
        return [self._state.workers[name] for name in sorted(self._state.workers)]


@dataclass
class MemoryTaskEngine:
    """Remembers what was handed over; a test takes it out and runs it."""

    runs: dict[tuple[TaskNumber, int], EngineState] = field(default_factory=dict)
    schedules: tuple[Schedule, ...] = ()

    def states(self, tasks: Collection[Task]) -> Mapping[TaskNumber, EngineState]:
        """Look the present runs up."""
        return {
            task.number: self.runs.get((task.number, task.run), EngineState.UNKNOWN)
            for task in tasks
        }

    def hand_over(self, task: Task, limits: Limits) -> None:
        """Remember the present run."""
        del limits  # whoever takes a run out asks the farm, which knows them
        self.runs.setdefault((task.number, task.run), EngineState.WAITING)

    def withdraw(self, number: TaskNumber, run: int) -> None:
        """Say that nobody may take it out any more."""
        if (number, run) in self.runs:
            self.runs[number, run] = EngineState.WITHDRAWN

    def forget(self, tasks: Collection[Task]) -> None:
        """Know none of their runs any more."""
        gone = {task.number for task in tasks}
        self.runs = {key: state for key, state in self.runs.items() if key[0] not in gone}

    def keep_schedules(self, schedules: Collection[Schedule]) -> None:
        """Remember them."""
        self.schedules = tuple(schedules)

    def take(self) -> tuple[TaskNumber, int] | None:
        """Take the next waiting run out, as a worker would."""
        for key, state in self.runs.items():
            if state is EngineState.WAITING:
                self.runs[key] = EngineState.STARTED
                return key
        return None
