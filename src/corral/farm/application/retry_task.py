"""Try a task again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.domain.task.task import LogLine

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.access.actor import Actor
    from corral.farm.domain.task.number import TaskNumber
    from corral.farm.domain.task.task import Task


class RetryTask:
    """Queues a task again that failed or was cancelled."""

    def __init__(self, transactions: Transactions, clock: Clock, actor: Actor) -> None:
        self._transactions = transactions
        self._clock = clock
        self._actor = actor

    def __call__(self, number: TaskNumber) -> Task:
        """Give the task afterwards; raises ``TaskUnknownError``, ``TaskTransitionError``."""
        now = self._clock.now()
        with self._transactions.writing() as records:
            task = records.tasks.get(number)
            after = task.to_retry()
            records.tasks.change(task, after)
            records.tasks.note(number, LogLine(now, f"to be tried again, says {self._actor}"))
        return after
