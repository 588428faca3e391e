"""What people do with a rollout, and what follows by itself. Pure: values in, values out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from corral.farm.domain.rollout.errors import (
    RolloutHaltedError,
    RolloutMemberUnknownError,
    RolloutStandsStillError,
)
from corral.farm.domain.rollout.gate import Verdict
from corral.farm.domain.rollout.member import UNTOUCHED, MemberEvent, MemberState
from corral.farm.domain.rollout.plan import judgements, next_event, tallies_of
from corral.farm.domain.rollout.state import OFFERING, RolloutEvent, RolloutState

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.domain.rollout.member import Member, MemberId
    from corral.farm.domain.rollout.rollout import Rollout


@dataclass(frozen=True)
class Course:
    """A rollout with its machines."""

    rollout: Rollout
    members: tuple[Member, ...]


def moved(course: Course, event: RolloutEvent, now: datetime, why: str = "") -> Course:
    """Give both as they are after an event. Whoever is not to have it any more is told so.

    Stopped: who was seen to run it keeps it, who was not is not to have it. Taken back: nobody is.
    """
    rollout = course.rollout.after(event, now, why)
    return Course(rollout, tuple(_kept_or_not(rollout, one) for one in course.members))


def resumed(course: Course, now: datetime, *, accepts_failures: bool) -> Course:
    """Give both as they are once somebody has let it go on.

    Raises ``RolloutHaltedError`` if it would halt again at once: the failures are not accepted.
    """
    members = course.members
    if accepts_failures:
        members = tuple(one.excused() for one in members)
    rollout = course.rollout.after(RolloutEvent.RESUME, now)
    judged = judgements(rollout, tallies_of(rollout, members, now))
    failing = next((one for one in judged if one.verdict is Verdict.FAIL), None)
    if failing is not None:
        name = rollout.waves[failing.wave].name
        raise RolloutHaltedError(rollout.name, f"the gate of wave {name} says {failing}")
    return Course(rollout, members)


def retried(course: Course, machine: MemberId, now: datetime) -> Course:
    """Give both as they are once somebody said to try a machine again that failed or went back.

    Nothing is given back to the limits. Raises ``RolloutStandsStillError``,
    ``RolloutMemberUnknownError``, ``MemberTransitionError``.
    """
    rollout = course.rollout
    if rollout.state not in OFFERING:
        raise RolloutStandsStillError(rollout.name, rollout.state)
    if all(one.id != machine for one in course.members):
        raise RolloutMemberUnknownError(rollout.name, machine)
    members = (one.retried(now) if one.id == machine else one for one in course.members)
    return Course(rollout, tuple(members))


def settled(course: Course, now: datetime, *, is_revoked: bool = False) -> Course:
    """Give both as they are once everything has followed that follows by itself."""
    while True:
        rollout = course.rollout
        judged = judgements(rollout, tallies_of(rollout, course.members, now))
        is_exposed = any(one.is_exposed for one in course.members)
        event, why = next_event(rollout, judged, is_exposed=is_exposed, is_revoked=is_revoked)
        if event is None:
            return course
        course = moved(course, event, now, why)


_KEEP: Final = frozenset({MemberState.SOAKING, MemberState.PROVEN})


def _kept_or_not(rollout: Rollout, member: Member) -> Member:
    if member.state in UNTOUCHED or member.state is MemberState.WITHDRAWN:
        return member
    match rollout.state:
        case RolloutState.TAKING_BACK:
            return _withdrawn(member)
        case RolloutState.STOPPED if member.state not in _KEEP:
            return _withdrawn(member)
        case _:
            return member


def _withdrawn(member: Member) -> Member:
    return replace(member.after(MemberEvent.WITHDRAW), attested_at=None)
