"""Ask for a task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.application.task_kinds import kind_named, subject_of, without_defaults
from corral.farm.domain.task.task import LogLine, Task, TaskRequest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.access.actor import Actor
    from corral.farm.domain.task.task import Argument, TaskKind


def queue_task(
    records: Records,
    kind: TaskKind,
    arguments: Mapping[str, Argument],
    actor: Actor,
    now: datetime,
) -> Task:
    """Write a task down with whatever else the transaction changes; raises as ``StartTask``."""
    subject = subject_of(kind, arguments, records)
    request = TaskRequest(
        kind=kind,
        object=subject.object,
        owner=actor,
        arguments=without_defaults(arguments),
        server=subject.server,
    )
    task = Task(records.tasks.next_number(), request, now)
    records.tasks.add(task)
    records.tasks.note(task.number, LogLine(now, f"asked for by {actor}"))
    return task


class StartTask:
    """Writes a task down; the workers hand it to their engine, and one of them runs it."""

    def __init__(self, transactions: Transactions, clock: Clock, actor: Actor) -> None:
        self._transactions = transactions
        self._clock = clock
        self._actor = actor

    def __call__(self, kind_text: str, arguments: Mapping[str, Argument]) -> Task:
        """Give the queued task.

        Raises ``TaskKindUnknownError``, ``TaskArgumentsInvalidError`` and what the kind's arguments
        break.
        """
        kind = kind_named(kind_text)
        now = self._clock.now()
        with self._transactions.writing() as records:
            return queue_task(records, kind, arguments, self._actor, now)


class BeginTask:
    """Writes down a task that the calling command runs itself, from now on."""

    def __init__(self, transactions: Transactions, clock: Clock, actor: Actor) -> None:
        self._transactions = transactions
        self._clock = clock
        self._actor = actor

    def __call__(self, kind_text: str, arguments: Mapping[str, Argument], worker: str) -> Task:
        """Give the running task; raises what ``StartTask`` raises."""
        kind = kind_named(kind_text)
        now = self._clock.now()
        with self._transactions.writing() as records:
            subject = subject_of(kind, arguments, records)
            request = TaskRequest(
                kind=kind,
                object=subject.object,
                owner=self._actor,
                arguments=without_defaults(arguments),
                server=subject.server,
            )
            task = Task.embedded(records.tasks.next_number(), request, worker, now)
            records.tasks.add(task)
            records.tasks.note(task.number, LogLine(now, f"{self._actor} runs it in a terminal"))
        return task
