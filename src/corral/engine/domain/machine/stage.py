"""How far a virtual machine is with its versions: one persisted table of every move there is.

The check of a move, the tests and the diagram come from it. Each stage is one in which the engine
may be killed: what it had begun there is begun again.
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from corral.engine.domain.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping


class Stage(StrEnum):
    """Where a virtual machine stands with its versions."""

    EMPTY = "empty"
    """No version was ever in place, and none is wanted."""
    FETCHING = "fetching"
    """Chunks of the version that is to come are missing."""
    PREPARING = "preparing"
    """They are here; the disk is being offered."""
    READY = "ready"
    """It is taken when the machine starts the next time."""
    PROVING = "proving"
    """It is in place, and has not yet been healthy for long enough."""
    PROVEN = "proven"
    GOING_BACK = "going-back"
    """It did not prove itself: the machine is to stop, so that the version before is in place."""
    RETURNING = "returning"
    """The version before is in place, and has not shown yet that it still works."""
    WENT_BACK = "went-back"
    FAILED = "failed"
    """Nothing more happens by itself: there is nothing to go back to, or it went in circles."""


class Event(StrEnum):
    """What can happen to it."""

    ORDERED = "ordered"
    """Another version than the one in place is to come."""
    WITHDRAWN = "withdrawn"
    """The one that was to come is not wanted any more; the one in place is, and was proven."""
    WITHDRAWN_UNPROVEN = "withdrawn-unproven"
    """The same, and the one in place has still to prove itself."""
    WITHDRAWN_FIRST = "withdrawn-first"
    """The same, and nothing is in place."""
    ARRIVED = "arrived"
    LOST = "lost"
    """Chunks are missing that were here."""
    PREPARED = "prepared"
    TAKEN = "taken"
    """It is in place from now on: a start with it follows."""
    PROVED = "proved"
    NOT_PROVED = "not-proved"
    NOTHING_BEFORE = "nothing-before"
    """It did not prove itself, and there is no version to go back to."""
    TURNED = "turned"
    """The version before is in place again."""
    RETURNED = "returned"
    """The version before works."""
    GAVE_UP = "gave-up"
    TRIED_AGAIN = "tried-again"
    """Somebody said to try once more what is in place."""


_S, _E = Stage, Event
_BEFORE_IT_IS_TAKEN: Final = (_S.FETCHING, _S.PREPARING, _S.READY)

TRANSITIONS: Final[Mapping[tuple[Stage, Event], Stage]] = MappingProxyType(
    {
        (_S.EMPTY, _E.ORDERED): _S.FETCHING,
        **{(stage, _E.ORDERED): _S.FETCHING for stage in _BEFORE_IT_IS_TAKEN},
        **{(stage, _E.WITHDRAWN): _S.PROVEN for stage in _BEFORE_IT_IS_TAKEN},
        **{(stage, _E.WITHDRAWN_UNPROVEN): _S.PROVING for stage in _BEFORE_IT_IS_TAKEN},
        **{(stage, _E.WITHDRAWN_FIRST): _S.EMPTY for stage in _BEFORE_IT_IS_TAKEN},
        (_S.FETCHING, _E.ARRIVED): _S.PREPARING,
        # The very first version starts before all of it has come.
        (_S.FETCHING, _E.TAKEN): _S.PROVING,
        (_S.PREPARING, _E.LOST): _S.FETCHING,
        (_S.PREPARING, _E.PREPARED): _S.READY,
        (_S.READY, _E.LOST): _S.FETCHING,
        (_S.READY, _E.TAKEN): _S.PROVING,
        (_S.PROVING, _E.ORDERED): _S.FETCHING,
        (_S.PROVING, _E.PROVED): _S.PROVEN,
        (_S.PROVING, _E.NOT_PROVED): _S.GOING_BACK,
        (_S.PROVING, _E.NOTHING_BEFORE): _S.FAILED,
        (_S.PROVING, _E.GAVE_UP): _S.FAILED,
        (_S.PROVEN, _E.ORDERED): _S.FETCHING,
        (_S.PROVEN, _E.GAVE_UP): _S.FAILED,
        (_S.GOING_BACK, _E.TURNED): _S.RETURNING,
        (_S.GOING_BACK, _E.GAVE_UP): _S.FAILED,
        (_S.RETURNING, _E.RETURNED): _S.WENT_BACK,
        (_S.RETURNING, _E.GAVE_UP): _S.FAILED,
        (_S.WENT_BACK, _E.ORDERED): _S.FETCHING,
        (_S.WENT_BACK, _E.GAVE_UP): _S.FAILED,
        **{(stage, _E.GAVE_UP): _S.FAILED for stage in _BEFORE_IT_IS_TAKEN},
        (_S.FAILED, _E.ORDERED): _S.FETCHING,
        (_S.FAILED, _E.TRIED_AGAIN): _S.PROVING,
        # What was given up shows by itself that it works after all.
        (_S.FAILED, _E.PROVED): _S.PROVEN,
    }
)

AT_REST: Final = frozenset({_S.EMPTY, _S.PROVEN, _S.WENT_BACK, _S.FAILED})
"""Where a machine stays until somebody wants something; laps are counted from there."""

MAXIMUM_LAPS: Final = 28
"""Moves on the way from one rest to the next; an honest way has seven at the most."""


class StageTransitionError(RefusedError):
    """A virtual machine goes from stage to stage only as the table says."""

    code = "stage-transition"

    def __init__(self, stage: Stage, event: Event) -> None:
        super().__init__(
            f"a machine that is {stage} cannot take {event}; this is a fault of the engine:"
            " please report it with the machine's state.json"
        )


def next_stage(stage: Stage, event: Event) -> Stage:
    """Give the stage after ``event``, refused if the table has no such arrow."""
    try:
        return TRANSITIONS[stage, event]
    except KeyError:
        raise StageTransitionError(stage, event) from None
