"""Pause a rollout, let it go on, stop it, take it back, try machines again, and forget it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from corral.farm.application.computer_plans import assigned_to_all
from corral.farm.application.rollout_courses import Courses, Roll
from corral.farm.application.rollout_machines import parts_of
from corral.farm.domain.computer.computer import MachineKey
from corral.farm.domain.image.standing import Standing
from corral.farm.domain.rollout.errors import (
    RolloutChangedError,
    RolloutNotOverError,
    RolloutStandsStillError,
    RolloutStillNeededError,
)
from corral.farm.domain.rollout.moves import Course, moved, resumed, retried, settled
from corral.farm.domain.rollout.rollout import Given
from corral.farm.domain.rollout.state import OFFERING, UNDER_WAY, RolloutEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.rollout.member import MemberId
    from corral.farm.domain.rollout.rollout import Rollout, RolloutName


class _Moves:
    """Loads a rollout with its machines, lets it be moved, and writes down what follows."""

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    def _move(
        self,
        name: RolloutName,
        revision: int | None,
        move: Callable[[Records, Course, datetime], Course],
    ) -> Rollout:
        now = self._clock.now()
        with self._transactions.writing() as records:
            rollout = records.rollouts.get(name)
            if revision not in {None, rollout.revision}:
                raise RolloutChangedError(name)
            courses = Courses(records, now)
            seen = Course(rollout, tuple(records.rollout_members.of_rollout(rollout.id)))
            roll = Roll(records, assigned_to_all(records, now))
            present = Course(rollout, tuple(roll.present(rollout, seen.members)))
            after = move(records, present, now)
            is_revoked = courses.is_revoked(rollout)
            return courses.keep(seen, settled(after, now, is_revoked=is_revoked))


class PauseRollout(_Moves):
    """Offers it to nobody new; what machines have begun they finish."""

    def __call__(self, name: RolloutName, why: str = "", revision: int | None = None) -> Rollout:
        """Pause it; raises ``RolloutUnknownError``, ``RolloutTransitionError``."""
        return self._move(
            name, revision, lambda _, seen, now: moved(seen, RolloutEvent.PAUSE, now, why)
        )


class ResumeRollout(_Moves):
    """Lets it go on."""

    def __call__(
        self, name: RolloutName, *, accepts_failures: bool = False, revision: int | None = None
    ) -> Rollout:
        """Let it go on; raises ``RolloutHaltedError`` unless failures are accepted, and more."""
        return self._move(
            name,
            revision,
            lambda _, seen, now: resumed(seen, now, accepts_failures=accepts_failures),
        )


class StopRollout(_Moves):
    """Ends it: who was seen to run it keeps it, everybody else is not to have it."""

    def __call__(self, name: RolloutName, why: str = "", revision: int | None = None) -> Rollout:
        """Stop it; raises ``RolloutUnknownError``, ``RolloutTransitionError``."""
        return self._move(
            name, revision, lambda _, seen, now: moved(seen, RolloutEvent.STOP, now, why)
        )


class TakeRolloutBack(_Moves):
    """Has everybody who has it go back to what they had."""

    def __call__(self, name: RolloutName, why: str = "", revision: int | None = None) -> Rollout:
        """Take it back; raises ``RolloutUnknownError``, ``RolloutTransitionError``."""
        return self._move(
            name, revision, lambda _, seen, now: moved(seen, RolloutEvent.TAKE_BACK, now, why)
        )


class RetryRollout(_Moves):
    """Has machines try again that failed or went back; gives nothing back to the limits."""

    def __call__(self, name: RolloutName, machines: Sequence[MemberId] = ()) -> Rollout:
        """Have these try again, or all that failed.

        Raises ``RolloutStandsStillError``, ``RolloutMemberUnknownError``,
        ``MemberTransitionError``.
        """

        def retry(records: Records, seen: Course, now: datetime) -> Course:
            if seen.rollout.state not in OFFERING:
                raise RolloutStandsStillError(name, seen.rollout.state)
            wanted = machines or [one.id for one in seen.members if one.can_retry]
            after = seen
            for machine in wanted:
                after = retried(after, machine, now)
            if after == seen:
                return seen
            return _tried_again(records, after, set(wanted), now)

        return self._move(name, None, retry)


class RemoveRollout:
    """Forgets a rollout that has ended; from then on machines have what they have by rule."""

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    def __call__(self, name: RolloutName) -> Rollout:
        """Forget it; raises ``RolloutNotOverError``, ``RolloutStillNeededError``."""
        with self._transactions.writing() as records:
            rollout = records.rollouts.get(name)
            if rollout.state in UNDER_WAY:
                raise RolloutNotOverError(name, rollout.state.value)
            exposed = records.rollout_members.count_exposed(rollout.id)
            if exposed and rollout.offering.kind is Given.VERSION:
                version = Courses(records, self._clock.now()).version_of(rollout)
                if version.standing is not Standing.PRODUCTION:
                    raise RolloutStillNeededError(name, rollout.offering.name, exposed)
            records.rollouts.remove(rollout.id)
            return rollout


def _tried_again(
    records: Records, course: Course, machines: set[MemberId], now: datetime
) -> Course:
    """Have the computers of virtual machines be told another number, and know the same here."""
    if course.rollout.offering.kind is Given.KIT:
        return course
    image_id = Courses(records, now).version_of(course.rollout).image_id
    found = []
    for member in course.members:
        computer_id, user_id = parts_of(member.id)
        if member.id not in machines or user_id is None:
            found.append(member)
            continue
        key = MachineKey(image_id, user_id)
        seen = records.computers.with_id(computer_id)
        computer = records.computers.change(seen, seen.trying_again(key))
        found.append(replace(member, attempt=computer.attempt(key)))
    return Course(course.rollout, tuple(found))
