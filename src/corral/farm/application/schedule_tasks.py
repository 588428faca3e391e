"""Schedules: have tasks begin by the clock, and stop that again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from corral.farm.application.listing import Columns
from corral.farm.application.task_kinds import kind_named, subject_of, without_defaults
from corral.farm.domain.task.errors import ScheduleInvalidError, ScheduleNotRunningError
from corral.farm.domain.task.schedule import Schedule
from corral.farm.domain.task.task import LogLine, Task, TaskRequest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.access.actor import Actor
    from corral.farm.domain.task.schedule import ScheduleName, Times
    from corral.farm.domain.task.task import Argument


@dataclass(frozen=True)
class ScheduleView:
    """A schedule with its run that is under way, if one is."""

    schedule: Schedule
    run: Task | None


SCHEDULES: Final = Columns[ScheduleView](
    values={
        "name": lambda view: view.schedule.name,
        "kind": lambda view: view.schedule.request.kind.value,
        "object": lambda view: view.schedule.request.object,
        "owner": lambda view: view.schedule.request.owner.name,
        "server": lambda view: view.schedule.request.server,
    },
    identity=lambda view: view.schedule.name,
)


class AddSchedule:
    """Adds a schedule; the workers begin its runs."""

    def __init__(self, transactions: Transactions, clock: Clock, actor: Actor) -> None:
        self._transactions = transactions
        self._clock = clock
        self._actor = actor

    def __call__(
        self,
        name: ScheduleName,
        times: Times,
        kind_text: str,
        arguments: Mapping[str, Argument],
    ) -> Schedule:
        """Give the schedule.

        Raises ``ScheduleNameTakenError``, ``ScheduleInvalidError`` and what asking for such a task
        raises.
        """
        kind = kind_named(kind_text)
        try:
            ZoneInfo(times.timezone)
        except (KeyError, ValueError, OSError):
            reason = f"{times.timezone!r} is no time zone that this machine knows"
            raise ScheduleInvalidError(times.cron, reason) from None
        with self._transactions.writing() as records:
            subject = subject_of(kind, arguments, records)
            request = TaskRequest(
                kind=kind,
                object=subject.object,
                owner=self._actor,
                arguments=without_defaults(arguments),
                server=subject.server,
                schedule=name,
            )
            schedule = Schedule(name, times, request, self._clock.now())
            records.schedules.add(schedule)
        return schedule


class ListSchedules:
    """Gives all schedules, in the order of names."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self) -> tuple[ScheduleView, ...]:
        """Give them with their runs."""
        with self._transactions.reading() as records:
            return tuple(
                ScheduleView(schedule, _run_of(records, schedule.name))
                for schedule in records.schedules.all()
            )


class RemoveSchedule:
    """Removes a schedule. A run that is under way goes on."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, name: ScheduleName) -> Schedule:
        """Give what it was; raises ``ScheduleUnknownError``."""
        with self._transactions.writing() as records:
            schedule = records.schedules.get(name)
            records.schedules.remove(name)
        return schedule


class CancelScheduledRun:
    """Cancels the run that is under way; the next one begins when its time has come."""

    def __init__(self, transactions: Transactions, clock: Clock, actor: Actor) -> None:
        self._transactions = transactions
        self._clock = clock
        self._actor = actor

    def __call__(self, name: ScheduleName) -> Task:
        """Give the task; raises ``ScheduleUnknownError``, ``ScheduleNotRunningError``."""
        now = self._clock.now()
        with self._transactions.writing() as records:
            records.schedules.get(name)
            task = _run_of(records, name)
            if task is None:
                raise ScheduleNotRunningError(name)
            after = task.to_cancel(now)
            records.tasks.change(task, after)
            line = f"to be cancelled, says {self._actor}; the schedule stays"
            records.tasks.note(task.number, LogLine(now, line))
        return after


class BeginScheduled:
    """Asks for the task of a schedule whose time has come, once for each time."""

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    def __call__(self, name: ScheduleName, at: datetime) -> Task | None:
        """Give the task; ``None`` where there is nothing to begin.

        That is so if the schedule was removed, if the time was begun already, and if the run before
        is still under way: a store is not read twice at once because reading it takes a day.
        """
        now = self._clock.now()
        with self._transactions.writing() as records:
            schedule = records.schedules.find(name)
            if schedule is None:
                return None
            # To the second: engines keep moments with different precision.
            origin = f"{name}@{at:%Y-%m-%dT%H:%M:%S%z}"
            if records.tasks.with_origin(origin) is not None:
                return None
            records.schedules.keep(replace(schedule, last_run_at=at))
            under_way = _run_of(records, name)
            if under_way is not None:
                line = f"the run of {at:%Y-%m-%d %H:%M %Z} is left out: this one is under way"
                records.tasks.note(under_way.number, LogLine(now, line))
                return None
            request = replace(schedule.request, origin=origin)
            task = Task(records.tasks.next_number(), request, now)
            records.tasks.add(task)
            records.tasks.note(task.number, LogLine(now, f"begun by the schedule {name}"))
        return task


def _run_of(records: Records, name: ScheduleName) -> Task | None:
    return next((task for task in records.tasks.active() if task.request.schedule == name), None)
