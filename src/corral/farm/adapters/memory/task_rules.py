"""The rules for tasks in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from corral.farm.domain.task.rules import TaskRules, TaskRulesChangedError

if TYPE_CHECKING:
    from corral.farm.adapters.memory.state import State


class MemoryTaskRules:
    """The rules, once somebody has set any."""

    def __init__(self, state: State) -> None:
        self._state = state

    def get(self) -> TaskRules:
        """Give them."""
        return self._state.task_rules or TaskRules()

    def change(self, seen: TaskRules, after: TaskRules) -> None:
        """Replace them if they are still those that were seen."""
        if self.get().revision != seen.revision:
            raise TaskRulesChangedError
        self._state.task_rules = replace(after, revision=seen.revision + 1)
