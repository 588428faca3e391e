"""How far a change of releases is: one persisted table of every move there is."""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from corral.farm.domain.supervision.errors import SupervisionTransitionError

if TYPE_CHECKING:
    from collections.abc import Mapping


class Stage(StrEnum):
    """Where the releases of a machine stand."""

    SETTLED = "settled"
    """The release in force has proven itself, or came with the machine's package."""
    STOPPING = "stopping"
    """The services of the release in force are ending, to be started from another one."""
    TRIAL = "trial"
    """Another release is in force, and has not shown yet that it works."""
    GOING_BACK = "going-back"
    """It did not work: the one before is in force again, and has not shown yet that it does."""


class Event(StrEnum):
    """What can happen to it."""

    ORDERED = "ordered"
    """The farm, or somebody at the machine, wants another release."""
    STOPPED = "stopped"
    """No service runs any more."""
    PROVED = "proved"
    """All services run, and the stream process has passed its self-test."""
    NOT_PROVED = "not-proved"
    """Time is up, services die again and again, or the release was started too often."""


_S, _E = Stage, Event

TRANSITIONS: Final[Mapping[tuple[Stage, Event], Stage]] = MappingProxyType(
    {
        (_S.SETTLED, _E.ORDERED): _S.STOPPING,
        (_S.TRIAL, _E.ORDERED): _S.STOPPING,
        (_S.GOING_BACK, _E.ORDERED): _S.STOPPING,
        (_S.STOPPING, _E.STOPPED): _S.TRIAL,
        (_S.TRIAL, _E.PROVED): _S.SETTLED,
        (_S.TRIAL, _E.NOT_PROVED): _S.GOING_BACK,
        (_S.GOING_BACK, _E.PROVED): _S.SETTLED,
    }
)


def next_stage(stage: Stage, event: Event) -> Stage:
    """Give the stage after ``event``, refused if the table has no such arrow."""
    try:
        return TRANSITIONS[stage, event]
    except KeyError:
        allowed = [str(one) for at, one in TRANSITIONS if at is stage]
        raise SupervisionTransitionError(stage, event, allowed) from None
