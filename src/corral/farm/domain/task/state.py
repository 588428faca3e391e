"""Where a task is in its life: the one table of its states."""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from corral.farm.domain.task.errors import TaskTransitionError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from corral.farm.domain.task.number import TaskNumber


class TaskState(StrEnum):
    """What people see."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_active(self) -> bool:
        """Whether anything is still to come, however long ago the task began."""
        return self in (TaskState.QUEUED, TaskState.RUNNING, TaskState.PAUSED)


class TaskEvent(StrEnum):
    """What can happen to a task."""

    CLAIM = "claim"
    """A worker begins with it."""
    FINISH = "finish"
    FAIL = "fail"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    RETRY = "retry"
    LOSE = "lose"
    """Its worker is gone, or has handed it back."""


_S, _E = TaskState, TaskEvent

TRANSITIONS: Final[Mapping[tuple[TaskState, TaskEvent], TaskState]] = MappingProxyType(
    {
        (_S.QUEUED, _E.CLAIM): _S.RUNNING,
        (_S.QUEUED, _E.PAUSE): _S.PAUSED,
        (_S.QUEUED, _E.CANCEL): _S.CANCELLED,
        # The engine gave it up before it began.
        (_S.QUEUED, _E.FAIL): _S.FAILED,
        (_S.RUNNING, _E.FINISH): _S.DONE,
        (_S.RUNNING, _E.FAIL): _S.FAILED,
        (_S.RUNNING, _E.PAUSE): _S.PAUSED,
        (_S.RUNNING, _E.CANCEL): _S.CANCELLED,
        (_S.RUNNING, _E.LOSE): _S.QUEUED,
        (_S.PAUSED, _E.RESUME): _S.QUEUED,
        (_S.PAUSED, _E.CANCEL): _S.CANCELLED,
        (_S.FAILED, _E.RETRY): _S.QUEUED,
        (_S.CANCELLED, _E.RETRY): _S.QUEUED,
    }
)


def next_state(number: TaskNumber, state: TaskState, event: TaskEvent) -> TaskState:
    """Give the state after ``event``, refused if the table has no such arrow."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise TaskTransitionError(number, state, event, possible(state)) from None


def possible(state: TaskState) -> tuple[str, ...]:
    """Give what people can have happen to a task in that state."""
    asked_for = (_E.PAUSE, _E.RESUME, _E.CANCEL, _E.RETRY)
    return tuple(event.value for event in asked_for if (state, event) in TRANSITIONS)
