"""Show how many tasks run at once, and how long ended ones are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Transactions
    from corral.farm.domain.task.rules import TaskRules


class ShowTaskRules:
    """Gives the rules for tasks."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self) -> TaskRules:
        """Give them as they are."""
        with self._transactions.reading() as records:
            return records.task_rules.get()
