"""Find the tasks whose workers are silent, by one clock alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from corral.farm.domain.task.state import TaskState
from corral.farm.domain.task.worker import SILENCE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from corral.farm.domain.task.number import TaskNumber
    from corral.farm.domain.task.task import Task

    Sign: TypeAlias = tuple[TaskNumber, int, int]


class Watch:
    """Remembers when each task's last sign of life was first seen.

    Signs are counted, not timed: machines whose clocks differ take nothing from each other.
    """

    def __init__(self) -> None:
        self._seen: dict[Sign, float] = {}

    def silent(self, tasks: Iterable[Task], now: float) -> list[Task]:
        """Give those that gave no sign for too long; ``now`` is in seconds of a steady clock."""
        signs = {
            (task.number, task.run, task.beats): task
            for task in tasks
            if task.state is TaskState.RUNNING
        }
        self._seen = {sign: self._seen.get(sign, now) for sign in signs}
        limit = SILENCE.total_seconds()
        return [task for sign, task in signs.items() if now - self._seen[sign] >= limit]
