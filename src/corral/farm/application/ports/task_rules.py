"""What the farm remembers of the rules for its tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from corral.farm.domain.task.rules import TaskRules


class TaskRulesRecord(Protocol):
    """The rules for tasks; a rule that nobody has set is the usual one of this release."""

    def get(self) -> TaskRules:
        """Give them."""
        ...

    def change(self, seen: TaskRules, after: TaskRules) -> None:
        """Replace ``seen`` by ``after``, and raise the revision.

        Raises ``TaskRulesChangedError`` if they were changed since they were seen.
        """
        ...
