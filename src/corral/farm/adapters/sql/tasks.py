"""Tasks, schedules and workers in SQL."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from corral.farm.adapters.sql.task_tables import task, task_log, task_schedule, task_worker
from corral.farm.domain.access.actor import Actor, ActorKind
from corral.farm.domain.estate.server import ServerName
from corral.farm.domain.task.errors import (
    ScheduleNameTakenError,
    ScheduleUnknownError,
    TaskUnknownError,
)
from corral.farm.domain.task.number import TaskNumber
from corral.farm.domain.task.schedule import Schedule, ScheduleName, Times
from corral.farm.domain.task.state import TaskState
from corral.farm.domain.task.task import (
    Argument,
    Failure,
    LogLine,
    Task,
    TaskKind,
    TaskProgress,
    TaskRequest,
    Wish,
)
from corral.farm.domain.task.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection

    from corral.farm.adapters.sql.rows import AnyRow, Values

_ACTIVE = tuple(state.value for state in TaskState if state.is_active)


class SqlTasks:
    """A row each, and one for each line of a log."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def next_number(self) -> TaskNumber:
        """Give the one after the highest."""
        highest = self._connection.execute(select(func.max(task.c.number))).scalar_one()
        return TaskNumber((highest or 0) + 1)

    def add(self, added: Task) -> None:
        """Insert a row."""
        request = added.request
        self._connection.execute(
            insert(task).values(
                number=added.number,
                created_at=added.created_at,
                is_embedded=added.is_embedded,
                schedule=request.schedule,
                origin=request.origin,
                owner_request=request.owner.request or None,
                **_request_values(request),
                **_changing(added),
            )
        )

    def get(self, number: TaskNumber) -> Task:
        """Give the one of that number."""
        found = self._select(task.c.number == number)
        if not found:
            raise TaskUnknownError(number)
        return found[0]

    def with_origin(self, origin: str) -> Task | None:
        """Give the one of that origin."""
        found = self._select(task.c.origin == origin)
        return found[0] if found else None

    def change(self, seen: Task, after: Task) -> None:
        """Overwrite what can change."""
        self.keep(replace(after, number=seen.number))

    def keep(self, changed: Task) -> None:
        """Overwrite what can change."""
        done = self._connection.execute(
            update(task).where(task.c.number == changed.number).values(_changing(changed))
        )
        if done.rowcount != 1:
            raise TaskUnknownError(changed.number)

    def active(self) -> Sequence[Task]:
        """Give those that something is still to come of."""
        return self._select(task.c.state.in_(_ACTIVE))

    def ended(self, limit: int) -> Sequence[Task]:
        """Give the last of the others."""
        query = select(task).where(task.c.state.not_in(_ACTIVE))
        last = query.order_by(task.c.number.desc()).limit(limit)
        return [_task(row) for row in self._connection.execute(last)][::-1]

    def prune(self, before: datetime, at_most: int) -> Sequence[Task]:
        """Delete the oldest of those that ended before, but for the last row of all."""
        highest = select(func.max(task.c.number)).scalar_subquery()
        query = (
            select(task)
            .where(task.c.state.not_in(_ACTIVE), task.c.ended_at < before, task.c.number < highest)
            .order_by(task.c.number)
            .limit(at_most)
        )
        pruned = [_task(row) for row in self._connection.execute(query)]
        numbers = [one.number for one in pruned]
        self._connection.execute(delete(task_log).where(task_log.c.number.in_(numbers)))
        self._connection.execute(delete(task).where(task.c.number.in_(numbers)))
        return pruned

    def note(self, number: TaskNumber, line: LogLine) -> None:
        """Add a line after the last."""
        highest = self._connection.execute(
            select(func.max(task_log.c.place)).where(task_log.c.number == number)
        ).scalar_one()
        self._connection.execute(
            insert(task_log).values(
                number=number, place=(highest or 0) + 1, at=line.at, text=line.text
            )
        )

    def log(self, number: TaskNumber) -> Sequence[LogLine]:
        """Give the lines."""
        query = select(task_log).where(task_log.c.number == number).order_by(task_log.c.place)
        return [LogLine(row.at, row.text) for row in self._connection.execute(query)]

    def _select(self, condition: ColumnElement[bool]) -> list[Task]:
        query = select(task).where(condition).order_by(task.c.number)
        return [_task(row) for row in self._connection.execute(query)]


class SqlSchedules:
    """A row each."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, schedule: Schedule) -> None:
        """Insert a row."""
        if self.find(schedule.name) is not None:
            raise ScheduleNameTakenError(schedule.name)
        try:
            self._connection.execute(
                insert(task_schedule).values(name=schedule.name, **_schedule_values(schedule))
            )
        except IntegrityError as error:
            raise ScheduleNameTakenError(schedule.name) from error

    def get(self, name: ScheduleName) -> Schedule:
        """Give the one of that name."""
        found = self.find(name)
        if found is None:
            raise ScheduleUnknownError(name)
        return found

    def find(self, name: ScheduleName) -> Schedule | None:
        """Give the one of that name, if there is one."""
        query = select(task_schedule).where(task_schedule.c.name == name)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _schedule(row)

    def keep(self, schedule: Schedule) -> None:
        """Overwrite the row."""
        self._connection.execute(
            update(task_schedule)
            .where(task_schedule.c.name == schedule.name)
            .values(_schedule_values(schedule))
        )

    def remove(self, name: ScheduleName) -> None:
        """Delete the row."""
        self._connection.execute(delete(task_schedule).where(task_schedule.c.name == name))

    def all(self) -> Sequence[Schedule]:
        """Give all of them."""
        query = select(task_schedule).order_by(task_schedule.c.name)
        return [_schedule(row) for row in self._connection.execute(query)]


class SqlWorkers:
    """A row each."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def put(self, worker: Worker) -> None:
        """Overwrite the row, or insert it."""
        values: Values = {
            "servers": None if worker.servers is None else list(worker.servers),
            "seen_at": worker.seen_at,
            "account_problem": worker.account_problem,
            "left_step": worker.left_step,
        }
        known = update(task_worker).where(task_worker.c.name == worker.name).values(values)
        if self._connection.execute(known).rowcount == 0:
            self._connection.execute(insert(task_worker).values(name=worker.name, **values))

    def remove(self, name: str) -> None:
        """Delete the row."""
        self._connection.execute(delete(task_worker).where(task_worker.c.name == name))

    def all(self) -> Sequence[Worker]:
        """Give all of them."""
        query = select(task_worker).order_by(task_worker.c.name)
        return [
            Worker(
                row.name,
                None if row.servers is None else tuple(map(ServerName, row.servers)),
                row.seen_at,
                row.account_problem,
                row.left_step,
            )
            for row in self._connection.execute(query)
        ]


def _request_values(request: TaskRequest) -> Values:
    return {
        "kind": request.kind.value,
        "object": request.object,
        "owner_kind": request.owner.kind.value,
        "owner": request.owner.name,
        "arguments": {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in request.arguments.items()
        },
        "server": request.server,
    }


def _request(
    row: AnyRow, schedule: str | None, origin: str | None, asked_by: str = ""
) -> TaskRequest:
    return TaskRequest(
        kind=TaskKind(row.kind),
        object=row.object,
        owner=Actor(ActorKind(row.owner_kind), row.owner, request=asked_by),
        arguments=_arguments(row.arguments),
        server=None if row.server is None else ServerName(row.server),
        schedule=schedule,
        origin=origin,
    )


def _arguments(kept: Mapping[str, Any]) -> Mapping[str, Argument]:
    return MappingProxyType(
        {name: tuple(value) if isinstance(value, list) else value for name, value in kept.items()}
    )


def _changing(changed: Task) -> Values:
    progress, failure = changed.progress, changed.failure
    return {
        "state": changed.state.value,
        "run": changed.run,
        "wish": changed.wish.value,
        "worker": changed.worker,
        "beats": changed.beats,
        "started_at": changed.started_at,
        "ended_at": changed.ended_at,
        "progress": {
            "total_bytes": progress.total_bytes,
            "done_bytes": progress.done_bytes,
            "new_bytes": progress.new_bytes,
            "per_second": progress.per_second,
            "at": None if progress.at is None else progress.at.isoformat(),
        },
        "waiting": changed.waiting,
        "not_before": changed.not_before,
        "failure_code": None if failure is None else failure.code,
        "failure_message": None if failure is None else failure.message,
        "result": changed.result,
    }


def _task(row: AnyRow) -> Task:
    progress = row.progress
    at = progress["at"]
    return Task(
        number=TaskNumber(row.number),
        request=_request(row, row.schedule, row.origin, row.owner_request or ""),
        created_at=row.created_at,
        state=TaskState(row.state),
        run=row.run,
        is_embedded=row.is_embedded,
        wish=Wish(row.wish),
        worker=row.worker,
        beats=row.beats,
        started_at=row.started_at,
        ended_at=row.ended_at,
        progress=TaskProgress(
            total_bytes=progress["total_bytes"],
            done_bytes=progress["done_bytes"],
            new_bytes=progress["new_bytes"],
            per_second=progress["per_second"],
            at=None if at is None else datetime.fromisoformat(at),
        ),
        waiting=row.waiting,
        not_before=row.not_before,
        failure=(
            None if row.failure_code is None else Failure(row.failure_code, row.failure_message)
        ),
        result=row.result,
    )


def _schedule_values(schedule: Schedule) -> Values:
    return {
        "cron": schedule.times.cron,
        "timezone": schedule.times.timezone,
        "added_at": schedule.added_at,
        "last_run_at": schedule.last_run_at,
        **_request_values(schedule.request),
    }


def _schedule(row: AnyRow) -> Schedule:
    return Schedule(
        name=ScheduleName(row.name),
        times=Times(row.cron, row.timezone),
        request=_request(row, row.name, None),
        added_at=row.added_at,
        last_run_at=row.last_run_at,
    )
