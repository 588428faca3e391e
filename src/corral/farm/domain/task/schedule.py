"""A schedule: tasks that begin by the clock."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NewType

from corral.farm.domain.naming import checked_name
from corral.farm.domain.task.errors import ScheduleInvalidError

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.domain.task.task import TaskRequest

ScheduleName = NewType("ScheduleName", str)

_FIELDS: Final = (
    ("minute", 0, 59),
    ("hour", 0, 23),
    ("day of the month", 1, 31),
    ("month", 1, 12),
    ("day of the week", 0, 7),
)
_PART: Final = re.compile(r"(?:\*|(\d{1,2})(?:-(\d{1,2}))?)(?:/(\d{1,2}))?")


def schedule_name(text: str) -> ScheduleName:
    """Check a name for a schedule."""
    return ScheduleName(checked_name("schedule", text))


@dataclass(frozen=True)
class Times:
    """When a schedule begins its runs: five fields of cron, in a time zone."""

    cron: str
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        fields = self.cron.split()
        if len(fields) != len(_FIELDS):
            raise ScheduleInvalidError(self.cron, f"it has {len(fields)} fields")
        for text, (name, lowest, highest) in zip(fields, _FIELDS, strict=True):
            for part in text.split(","):
                if not _is_within(part, lowest, highest):
                    reason = f"{part!r} is no {name} from {lowest} to {highest}"
                    raise ScheduleInvalidError(self.cron, reason)


@dataclass(frozen=True)
class Schedule:
    """What is to be asked for, and when."""

    name: ScheduleName
    times: Times
    request: TaskRequest
    """What each run asks for, but for its origin."""
    added_at: datetime
    last_run_at: datetime | None = None
    """The time that its last run was meant for."""


def _is_within(part: str, lowest: int, highest: int) -> bool:
    found = _PART.fullmatch(part)
    if found is None:
        return False
    first, last, step = (None if one is None else int(one) for one in found.groups())
    numbers = [one for one in (first, last) if one is not None]
    in_order = first is None or last is None or first <= last
    return in_order and step != 0 and all(lowest <= one <= highest for one in numbers)
