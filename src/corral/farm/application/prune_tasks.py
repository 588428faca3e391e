"""Forget tasks that ended long ago."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.application.ports.tasks import TaskEngine

AT_ONCE: Final = 500
"""What one transaction forgets: nobody waits long for it."""


class PruneTasks:
    """Forgets what ended longer ago than the farm's rules keep it; never what is active."""

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    def __call__(self, engine: TaskEngine) -> int:
        """Give how many were forgotten; as many as ``AT_ONCE`` means that there may be more."""
        with self._transactions.writing() as records:
            before = self._clock.now() - records.task_rules.get().kept_for
            pruned = records.tasks.prune(before, AT_ONCE)
        # A worker that is killed here leaves runs that nobody asks for any more.
        engine.forget(pruned)
        return len(pruned)
