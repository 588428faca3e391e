"""Where a rollout is: one table of its states.

The check of a move, the tests, and the diagram in ``docs/reference/rollouts.md`` come from it.
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from corral.farm.domain.rollout.errors import RolloutTransitionError

if TYPE_CHECKING:
    from collections.abc import Mapping


class RolloutState(StrEnum):
    """What people see."""

    RUNNING = "running"
    """Machines of open waves are offered it; each gate is judged anew whenever one asks."""
    PAUSED = "paused"
    """Nobody new is offered it; what machines have begun they finish."""
    HALTED = "halted"
    """A gate has failed. As paused, until somebody has looked."""
    COMPLETE = "complete"
    """Every gate passes. It begins again by itself when one does not any more."""
    STOPPED = "stopped"
    """Machines that run it keep it; the others are not to have it."""
    TAKING_BACK = "taking-back"
    """No machine is to have it; some still may."""
    TAKEN_BACK = "taken-back"
    """Every machine was seen to run something else."""


class RolloutEvent(StrEnum):
    """What can happen to a rollout."""

    PAUSE = "pause"
    RESUME = "resume"
    HALT = "halt"
    """A gate fails, in whichever wave."""
    COMPLETE = "complete"
    """Every gate passes."""
    REOPEN = "reopen"
    """A gate that had passed does not any more, because a machine fell back, or others came."""
    STOP = "stop"
    TAKE_BACK = "take-back"
    RETURNED = "returned"
    """The last machine was seen to run something else."""
    REAPPEAR = "reappear"
    """A machine was seen to run it again."""


_S, _E = RolloutState, RolloutEvent

TRANSITIONS: Final[Mapping[tuple[RolloutState, RolloutEvent], RolloutState]] = MappingProxyType(
    {
        (_S.RUNNING, _E.PAUSE): _S.PAUSED,
        (_S.RUNNING, _E.HALT): _S.HALTED,
        (_S.RUNNING, _E.COMPLETE): _S.COMPLETE,
        (_S.RUNNING, _E.STOP): _S.STOPPED,
        (_S.RUNNING, _E.TAKE_BACK): _S.TAKING_BACK,
        (_S.PAUSED, _E.RESUME): _S.RUNNING,
        (_S.PAUSED, _E.HALT): _S.HALTED,
        (_S.PAUSED, _E.STOP): _S.STOPPED,
        (_S.PAUSED, _E.TAKE_BACK): _S.TAKING_BACK,
        (_S.HALTED, _E.RESUME): _S.RUNNING,
        (_S.HALTED, _E.STOP): _S.STOPPED,
        (_S.HALTED, _E.TAKE_BACK): _S.TAKING_BACK,
        (_S.COMPLETE, _E.PAUSE): _S.PAUSED,
        (_S.COMPLETE, _E.HALT): _S.HALTED,
        (_S.COMPLETE, _E.REOPEN): _S.RUNNING,
        (_S.COMPLETE, _E.STOP): _S.STOPPED,
        (_S.COMPLETE, _E.TAKE_BACK): _S.TAKING_BACK,
        (_S.STOPPED, _E.TAKE_BACK): _S.TAKING_BACK,
        (_S.TAKING_BACK, _E.RETURNED): _S.TAKEN_BACK,
        (_S.TAKEN_BACK, _E.REAPPEAR): _S.TAKING_BACK,
    }
)

OFFERING: Final = frozenset({_S.RUNNING, _S.COMPLETE})
"""Where machines that wait may be offered something."""
UNDER_WAY: Final = frozenset({_S.RUNNING, _S.PAUSED, _S.HALTED, _S.TAKING_BACK})
"""Where there is something still to come."""


def next_state(name: str, state: RolloutState, event: RolloutEvent) -> RolloutState:
    """Give the state after ``event``, refused if the table has no such arrow."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise RolloutTransitionError(name, state, event, asked_for(state)) from None


def asked_for(state: RolloutState) -> tuple[RolloutEvent, ...]:
    """Give what people can have happen to a rollout in that state."""
    verbs = (_E.PAUSE, _E.RESUME, _E.STOP, _E.TAKE_BACK)
    return tuple(event for event in verbs if (state, event) in TRANSITIONS)
