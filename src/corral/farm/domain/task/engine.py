"""What the engine that starts tasks says of one, and what follows: one table.

The farm's own records are the truth about tasks. The engine only decides when a run starts and on
which worker; wherever the two disagree, this table says how they come together again.
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from corral.farm.domain.task.state import TaskState

if TYPE_CHECKING:
    from collections.abc import Mapping


class EngineState(StrEnum):
    """What the engine says of one run."""

    UNKNOWN = "unknown"
    """It was never handed over."""
    WAITING = "waiting"
    STARTED = "started"
    ENDED = "ended"
    GIVEN_UP = "given-up"
    WITHDRAWN = "withdrawn"


class Handling(StrEnum):
    """What is to be done."""

    NOTHING = "nothing"
    HAND_OVER = "hand-over"
    WITHDRAW = "withdraw"
    NEXT_RUN = "next-run"
    """The run is spent although the task never began: queue it as another one."""
    FAIL = "fail"


_S, _E, _H = TaskState, EngineState, Handling

_QUEUED: Final[Mapping[EngineState, Handling]] = MappingProxyType(
    {
        _E.UNKNOWN: _H.HAND_OVER,
        _E.WAITING: _H.NOTHING,
        # On its way: the run claims its task as the first thing that it does.
        _E.STARTED: _H.NOTHING,
        _E.ENDED: _H.NEXT_RUN,
        _E.GIVEN_UP: _H.FAIL,
        _E.WITHDRAWN: _H.NEXT_RUN,
    }
)
# A run that was claimed looks after itself; if its worker is gone, its silence says so.
_RUNNING: Final[Mapping[EngineState, Handling]] = MappingProxyType(
    dict.fromkeys(EngineState, _H.NOTHING)
)
# Whatever the engine still has of a task that is to rest must not take up its queue.
_RESTING: Final[Mapping[EngineState, Handling]] = MappingProxyType(
    {**dict.fromkeys(EngineState, _H.NOTHING), _E.WAITING: _H.WITHDRAW, _E.STARTED: _H.WITHDRAW}
)

HANDLING: Final[Mapping[TaskState, Mapping[EngineState, Handling]]] = MappingProxyType(
    {
        _S.QUEUED: _QUEUED,
        _S.RUNNING: _RUNNING,
        _S.PAUSED: _RESTING,
        _S.DONE: _RESTING,
        _S.FAILED: _RESTING,
        _S.CANCELLED: _RESTING,
    }
)


def handling(task: TaskState, engine: EngineState) -> Handling:
    """Give what follows from what the two say of the task's present run."""
    return HANDLING[task][engine]
