"""What is kept of a machine's releases, and how it changes: written before each effect.

Only the release that is in force is ever started. Whatever dies in whichever moment, the next start
is from it: from the one that was ordered, or from the one before.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from corral.farm.domain.library.errors import ReleaseInvalidError
from corral.farm.domain.library.release import Release
from corral.farm.domain.supervision.errors import (
    ReleaseNotInstalledError,
    ReleaseNotProvenError,
    ReleaseUnexpectedError,
)
from corral.farm.domain.supervision.stage import Event, Stage, next_stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from corral.farm.domain.errors import DomainError

MOST_TRIES: Final = 3
"""Starts of a release on trial, counted before each: a supervisor that dies of it is a reason."""
MOST_DEATHS: Final = 3
"""Of services within one trial."""


@dataclass(frozen=True)
class Problem:
    """Why an order was not carried out."""

    order: int
    code: str
    message: str


@dataclass(frozen=True)
class SwitchOrder:
    """What the supervisor is told."""

    number: int
    release: str = ""
    """What is to run; empty if the order says nothing of that."""
    expects: str = ""
    """What must be in force now."""
    by_hand: str = ""
    """Given by somebody at the machine: a mark of its own instead of a number."""


@dataclass(frozen=True)
class Supervision:
    """The record. ``stage`` changes by the table alone."""

    active: str
    """The release in force: what services are started from."""
    previous: str = ""
    """What was in force before, and is again if this one does not prove itself."""
    stage: Stage = Stage.SETTLED
    coming: str = ""
    """While services are being stopped: what comes then."""
    order: int = 0
    """The highest order that was brought to an end, by doing it or by saying why not."""
    taken: int = 0
    """The highest order that was taken up."""
    by_hand: str = ""
    """The mark of the last order that was given at the machine."""
    tries: int = 0
    """Starts from the release on trial."""
    problem: Problem | None = None

    @property
    def is_on_trial(self) -> bool:
        """Whether what is started now has to show that it works."""
        return self.stage in {Stage.TRIAL, Stage.GOING_BACK}

    @property
    def kept(self) -> frozenset[str]:
        """Releases that must stay where they are."""
        return frozenset({self.active, self.previous, self.coming} - {""})


def is_same_release(one: str, other: str) -> bool:
    """Whether both say the same: ``1.4`` is ``1.4.0``. What is no release is itself alone."""
    try:
        return Release.parse(one) == Release.parse(other)
    except ReleaseInvalidError:
        return one == other


def take(state: Supervision, order: SwitchOrder, can_start: Callable[[str], bool]) -> Supervision:
    """Take up an order; give what it becomes, the same if the order is an old one.

    While services are being stopped nothing is taken: it is told again.
    """
    if state.stage is Stage.STOPPING or not _is_new(state, order):
        return state
    state = replace(
        state,
        taken=max(state.taken, order.number),
        by_hand=order.by_hand or state.by_hand,
    )
    if not order.release or is_same_release(order.release, state.active):
        return state if state.is_on_trial else _ended(state)
    if not is_same_release(order.expects, state.active):
        error: DomainError = ReleaseUnexpectedError(order.release, order.expects, state.active)
        return _refused(state, error)
    if not can_start(order.release):
        return _refused(state, ReleaseNotInstalledError(order.release))
    return replace(
        state,
        stage=next_stage(state.stage, Event.ORDERED),
        coming=order.release,
        # A release that has not proven itself is none to go back to.
        previous=state.previous if state.stage is Stage.TRIAL else state.active,
    )


def begin(state: Supervision, package: str, can_start: Callable[[str], bool]) -> Supervision:
    """Say what it is when a supervisor comes up, no service running; counts starts on trial."""
    if state.stage is Stage.STOPPING:
        return stopped(state)
    if not can_start(state.active):
        if state.stage is Stage.TRIAL and can_start(state.previous):
            return not_proved(state, "it lies there no more")
        # What is left is what came with the machine's package.
        return replace(state, active=package)
    if state.stage is Stage.TRIAL and state.tries >= MOST_TRIES:
        return not_proved(state, f"it was started {state.tries} times, and did not do its work")
    return replace(state, tries=state.tries + 1) if state.is_on_trial else state


def stopped(state: Supervision) -> Supervision:
    """Say what it is when no service runs any more: the other release is in force."""
    return replace(
        state,
        stage=next_stage(state.stage, Event.STOPPED),
        active=state.coming,
        coming="",
        tries=1,
    )


def proved(state: Supervision) -> Supervision:
    """Say what it is when the release in force has shown that it works."""
    return replace(_ended(state), stage=next_stage(state.stage, Event.PROVED), tries=0)


def not_proved(state: Supervision, reason: str) -> Supervision:
    """Say what it is when the release on trial has not: the one before is in force again."""
    error = ReleaseNotProvenError(state.active, reason, state.previous)
    return replace(
        state,
        stage=next_stage(state.stage, Event.NOT_PROVED),
        active=state.previous,
        previous=state.active,
        tries=1,
        problem=Problem(state.taken, error.code, error.message),
    )


def _is_new(state: Supervision, order: SwitchOrder) -> bool:
    if order.by_hand:
        return order.by_hand != state.by_hand
    return order.number > state.taken


def _ended(state: Supervision) -> Supervision:
    """Bring an order to its end: what was said of earlier ones is over."""
    is_about_this = state.problem is not None and state.problem.order == state.taken
    return replace(state, order=state.taken, problem=state.problem if is_about_this else None)


def _refused(state: Supervision, error: DomainError) -> Supervision:
    return replace(
        state,
        order=state.order if state.is_on_trial else state.taken,
        problem=Problem(state.taken, error.code, error.message),
    )
