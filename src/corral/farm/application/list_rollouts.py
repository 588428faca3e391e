"""Rollouts: how far they are, what their gates say, and why a machine is not offered it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from corral.farm.application.compatibility import Facts
from corral.farm.application.computer_plans import assigned_to_all
from corral.farm.application.listing import Columns
from corral.farm.application.rollout_courses import Courses, Roll
from corral.farm.application.rollout_machines import parts_of
from corral.farm.domain.rollout.member import MemberState
from corral.farm.domain.rollout.moves import Course, settled
from corral.farm.domain.rollout.plan import judgements, plan
from corral.farm.domain.rollout.rollout import Given

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.computer.check_in import CheckIn
    from corral.farm.domain.library.compatibility import Forbidden
    from corral.farm.domain.rollout.gate import Judgement, Tally
    from corral.farm.domain.rollout.member import Member, MemberId
    from corral.farm.domain.rollout.plan import NotOffered, Plan
    from corral.farm.domain.rollout.rollout import Rollout, RolloutName


@dataclass(frozen=True)
class RolloutView:
    """A rollout with what its gates say."""

    rollout: Rollout
    judged: tuple[Judgement, ...]

    @property
    def tallies(self) -> tuple[Tally, ...]:
        """The machines of each wave, counted."""
        return tuple(one.tally for one in self.judged)

    @property
    def machines(self) -> int:
        """How many there are."""
        return sum(one.all for one in self.tallies)

    @property
    def proven(self) -> int:
        """How many of them are proven."""
        return sum(one.proven for one in self.tallies)

    @property
    def failures(self) -> int:
        """How many failures count."""
        return sum(one.failures for one in self.tallies)


@dataclass(frozen=True)
class MemberView:
    """A machine of a rollout, under the names that people know it by."""

    member: Member
    computer: str
    user: str
    why_not: NotOffered | None
    """Why it is not offered what is rolled out."""


@dataclass(frozen=True)
class RolloutDetails:
    """A rollout with its plan, and every machine."""

    view: RolloutView
    plan: Plan
    members: tuple[MemberView, ...]


ROLLOUTS: Final = Columns[RolloutView](
    values={
        "name": lambda view: view.rollout.name,
        "of": lambda view: view.rollout.offering.name,
        "kind": lambda view: view.rollout.offering.kind.value,
        "state": lambda view: view.rollout.state.value,
        "machines": lambda view: view.machines,
        "proven": lambda view: view.proven,
        "failures": lambda view: view.failures,
        "started": lambda view: view.rollout.started_at,
    },
    identity=lambda view: view.rollout.name,
)


class ListRollouts:
    """Gives all of them, from counts alone."""

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    def __call__(self) -> Sequence[RolloutView]:
        """Give them in the order in which they began."""
        now = self._clock.now()
        with self._transactions.reading() as records:
            courses = Courses(records, now)
            return [
                RolloutView(one, judgements(one, courses.tallies(one))) for one in courses.rollouts
            ]


class ShowRollout:
    """Gives one as it is now, whatever nobody has written down yet."""

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    def __call__(self, name: RolloutName) -> RolloutDetails:
        """Give it; raises ``RolloutUnknownError``."""
        now = self._clock.now()
        with self._transactions.reading() as records:
            rollout = records.rollouts.get(name)
            courses = Courses(records, now)
            is_revoked = courses.is_revoked(rollout)
            roll = Roll(records, assigned_to_all(records, now))
            members = tuple(roll.present(rollout, records.rollout_members.of_rollout(rollout.id)))
            course = settled(Course(rollout, members), now, is_revoked=is_revoked)
            forbidden = _forbidden(records, courses, rollout, course.members)
            found = plan(
                course.rollout,
                course.members,
                now,
                is_revoked=is_revoked,
                forbidden=tuple(forbidden.items()),
            )
            return RolloutDetails(
                RolloutView(course.rollout, found.judged),
                found,
                tuple(_named(records, course.members, dict(found.waiting))),
            )


def _forbidden(
    records: Records, courses: Courses, rollout: Rollout, members: Iterable[Member]
) -> Mapping[MemberId, Forbidden]:
    """Give the facts that forbid machines what is rolled out, as far as they have said anything."""
    judge = _judge(records, courses, rollout)
    said = {one.computer_id: one for one in records.check_ins.all()}
    found: dict[MemberId, Forbidden] = {}
    for member in members:
        heard = said.get(parts_of(member.id)[0])
        fact = None if heard is None else judge(heard)
        if fact is not None:
            found[member.id] = fact
    return found


def _judge(
    records: Records, courses: Courses, rollout: Rollout
) -> Callable[[CheckIn], Forbidden | None]:
    facts = Facts(records)
    if rollout.offering.kind is Given.VERSION:
        version = courses.version_of(rollout)
        image = records.images.with_id(version.image_id)
        return lambda said: facts.forbids(image, version, said)
    item = courses.item_of(rollout)
    if item is None or item.kit is None:
        return lambda _: None
    manifest = item.kit.manifest
    return lambda said: facts.forbids_kit(manifest, said)


def _named(
    records: Records, members: Iterable[Member], waiting: Mapping[MemberId, NotOffered]
) -> Iterable[MemberView]:
    computers = {one.id: one.name for one in records.computers.all()}
    users = {one.id: one.name for one in records.users.all()}
    for member in members:
        computer_id, user_id = parts_of(member.id)
        is_gone = member.state is MemberState.GONE
        yield MemberView(
            member,
            computers.get(computer_id, "(gone)" if is_gone else str(computer_id)),
            "" if user_id is None else users.get(user_id, "(gone)"),
            waiting.get(member.id),
        )
