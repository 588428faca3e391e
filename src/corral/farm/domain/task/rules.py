"""What a farm has said about its tasks: how many run at once, and how long ended ones are kept."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from corral.farm.domain.errors import EditConflictError, InvalidInputError
from corral.farm.domain.task.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from corral.farm.domain.task.task import TaskKind

AT_ONCE_AT_MOST: Final = 1000
KEPT_FOR: Final = timedelta(days=90)
_DAY: Final = timedelta(days=1)
_TEN_YEARS: Final = timedelta(days=3650)


class TaskRuleError(InvalidInputError):
    """From 1 to 1000 tasks run at once, and ended ones are kept from a day to ten years."""

    code = "task-rule-invalid"

    def __init__(self, rule: str) -> None:
        super().__init__(f"such a rule for tasks cannot be: {rule}")


class TaskRulesChangedError(EditConflictError):
    """The rules for tasks are changed by one person at a time; the second looks again."""

    code = "task-rules-changed"

    def __init__(self) -> None:
        super().__init__(
            "the rules for tasks were changed by somebody else since you looked: look again with"
            " 'corral task limit', then repeat your change if it still makes sense"
        )


@dataclass(frozen=True)
class TaskRules:
    """The rules, the usual ones where nobody has said anything else."""

    limits: Limits = field(default_factory=Limits)
    kept_for: timedelta = KEPT_FOR
    """How long a task is remembered after its end, with its log. Active ones always are."""
    revision: int = 1

    def __post_init__(self) -> None:
        limits = self.limits
        numbers = {str(kind): number for kind, number in limits.of_kind.items()}
        numbers |= {
            "a server": limits.of_server,
            "one kind on a server": limits.of_kind_on_server,
            "no server": limits.of_farm,
        }
        for what, number in numbers.items():
            if not 1 <= number <= AT_ONCE_AT_MOST:
                rule = f"{number} tasks of {what} at once; 1 to {AT_ONCE_AT_MOST} may"
                raise TaskRuleError(rule)
        if not _DAY <= self.kept_for <= _TEN_YEARS:
            rule = f"ended tasks are kept for 1 to {_TEN_YEARS.days} days"
            raise TaskRuleError(rule)


@dataclass(frozen=True)
class TaskRulesWish:
    """What is to be another way; none leaves a rule as it is."""

    of_kind: Mapping[TaskKind, int] = field(default_factory=lambda: MappingProxyType({}))
    of_server: int | None = None
    of_kind_on_server: int | None = None
    of_farm: int | None = None
    kept_for: timedelta | None = None

    def applied_to(self, rules: TaskRules) -> TaskRules:
        """Give the rules as they are to be; raises ``TaskRuleError``."""
        said = {
            "of_server": self.of_server,
            "of_kind_on_server": self.of_kind_on_server,
            "of_farm": self.of_farm,
        }
        limits = replace(
            rules.limits,
            of_kind=MappingProxyType({**rules.limits.of_kind, **self.of_kind}),
            **{name: number for name, number in said.items() if number is not None},
        )
        kept_for = rules.kept_for if self.kept_for is None else self.kept_for
        return replace(rules, limits=limits, kept_for=kept_for)
