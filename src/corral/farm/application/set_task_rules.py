"""Say how many tasks run at once, and how long ended ones are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.domain.task.rules import TaskRulesChangedError

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Transactions
    from corral.farm.domain.task.rules import TaskRules, TaskRulesWish


class SetTaskRules:
    """Changes single rules, and gives all of them as they are then.

    Workers ask for the rules whenever a task may begin: they count at once, and no task that runs
    is stopped by them.
    """

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, wish: TaskRulesWish, revision: int | None = None) -> TaskRules:
        """Change what is wished for.

        Raises ``TaskRuleError``, and ``TaskRulesChangedError`` if ``revision`` is given and is not
        that of the rules any more.
        """
        with self._transactions.writing() as records:
            seen = records.task_rules.get()
            if revision not in (None, seen.revision):
                raise TaskRulesChangedError
            rules = wish.applied_to(seen)
            if rules != seen:
                records.task_rules.change(seen, rules)
            return records.task_rules.get()
