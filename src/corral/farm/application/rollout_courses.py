"""Rollouts beside what is there: who is in them, what gates say, what follows from a check-in.

Judging is the domain's; here is what it is judged by, and what has to be written down. A check-in
asks for counts, not for machines, so that it costs the same however many there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from corral.farm.application.rollout_machines import (
    engine_of,
    kit_evidence,
    machine_evidence,
    machine_of,
    parts_of,
)
from corral.farm.domain.computer.errors import UserUnknownError
from corral.farm.domain.computer.state import ComputerState
from corral.farm.domain.image.standing import Standing
from corral.farm.domain.image.version import VersionName
from corral.farm.domain.library.item import ItemState, item_name
from corral.farm.domain.rollout.errors import RolloutStandsStillError
from corral.farm.domain.rollout.member import Member, MemberEvent, MemberState, heard
from corral.farm.domain.rollout.moves import Course, settled
from corral.farm.domain.rollout.plan import judgements, next_event, offers
from corral.farm.domain.rollout.rollout import Given, Rollout
from corral.farm.domain.rollout.state import OFFERING, UNDER_WAY
from corral.farm.domain.rollout.wave import newcomers_wave

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from corral.farm.application.ports.records import Records
    from corral.farm.domain.computer.check_in import CheckIn
    from corral.farm.domain.computer.computer import Computer
    from corral.farm.domain.computer.orders import Orders
    from corral.farm.domain.computer.plan import Assigned
    from corral.farm.domain.image.image import ImageId
    from corral.farm.domain.image.version import Version
    from corral.farm.domain.library.compatibility import Forbidden
    from corral.farm.domain.library.item import Item
    from corral.farm.domain.rollout.evidence import Evidence
    from corral.farm.domain.rollout.gate import Tally
    from corral.farm.domain.rollout.member import MemberId
    from corral.farm.domain.rollout.plan import Answer
    from corral.farm.domain.rollout.rollout import RolloutId

LOOK_EVERY: Final = timedelta(minutes=1)
"""How often who is still there is compared with who is in a rollout, while machines wait."""

_STARTED: Final = frozenset({Standing.TEST, Standing.PENDING, Standing.PRODUCTION})


class Courses:
    """All rollouts of one moment."""

    def __init__(self, records: Records, now: datetime, *, for_all: bool = False) -> None:
        """Look the machines of all computers up at once, or of each when it is asked for."""
        self._records = records
        self._now = now
        self._for_all = for_all
        self.rollouts: Sequence[Rollout] = records.rollouts.all()
        self._tallies: dict[RolloutId, Sequence[Tally]] = {}
        self._members: dict[RolloutId, dict[MemberId, Member]] = {}
        self._known: set[str] = set()

    def of_image(self, image_id: ImageId) -> list[tuple[Rollout, Version]]:
        """Give those of an image in the order in which they began, with their versions."""
        found = []
        for rollout in self.rollouts:
            if rollout.offering.kind is Given.VERSION:
                version = self.version_of(rollout)
                if version.image_id == image_id:
                    found.append((rollout, version))
        return found

    def of_kits(self) -> list[Rollout]:
        """Give those of kits in the order in which they began."""
        return [one for one in self.rollouts if one.offering.kind is Given.KIT]

    def version_of(self, rollout: Rollout) -> Version:
        """Give what is rolled out."""
        return self._records.versions.get(VersionName.parse(rollout.offering.name))

    def item_of(self, rollout: Rollout) -> Item | None:
        """Give the kit that is rolled out, if it is still in the library."""
        item = self._records.library_items.find(item_name(rollout.offering.name))
        if item is None or item.root is None or item.root.hex != rollout.offering.digest:
            return None
        return item

    def is_revoked(self, rollout: Rollout) -> bool:
        """Whether what is rolled out was withdrawn from the farm."""
        if rollout.offering.kind is Given.VERSION:
            return self.version_of(rollout).standing not in _STARTED
        item = self.item_of(rollout)
        return item is None or item.state is not ItemState.AVAILABLE

    def member(self, rollout: Rollout, member_id: MemberId) -> Member | None:
        """Give a machine of a rollout; one that came since joins the last wave."""
        self._load(member_id)
        known = self._members.get(rollout.id, {}).get(member_id)
        if known is not None and known.state is not MemberState.GONE:
            return known
        wave = newcomers_wave(rollout.waves)
        if wave is None or rollout.state not in OFFERING:
            return None
        return Member(member_id, wave)

    def answer(
        self, rollout: Rollout, member_id: MemberId, forbidden: Forbidden | None = None
    ) -> Answer:
        """Say whether a machine's orders name what is rolled out."""
        member = self.member(rollout, member_id)
        waits = member is not None and member.state is MemberState.WAITING
        return offers(
            rollout,
            member,
            self.tallies(rollout) if waits else (),
            is_revoked=self.is_revoked(rollout),
            forbidden=forbidden,
        )

    def tallies(self, rollout: Rollout) -> Sequence[Tally]:
        """Count the machines of a rollout, once a moment."""
        if rollout.id not in self._tallies:
            self._tallies[rollout.id] = self._records.rollout_members.count_waves(
                rollout.id, self._now - rollout.silent_after
            )
        return self._tallies[rollout.id]

    def hear(self, computer: Computer, said: CheckIn) -> None:
        """Move the machines of a computer by what it says, and write down what follows."""
        for rollout_id, members in self._of_computer(computer).items():
            rollout = next(one for one in self.rollouts if one.id == rollout_id)
            changed = [
                after
                for member in members
                if (after := self._after(rollout, member, said)) != member
            ]
            if not changed:
                continue
            self._put(rollout, changed)
            states = {one.id: one.state for one in members}
            if any(states[one.id] is not one.state for one in changed):
                self.settle(rollout)

    def _after(self, rollout: Rollout, member: Member, said: CheckIn) -> Member:
        evidence = self._evidence(rollout, member, said)
        if evidence is None:
            return member
        return heard(member.watched(evidence), evidence, rollout.proof(member.wave))

    def _evidence(self, rollout: Rollout, member: Member, said: CheckIn) -> Evidence | None:
        _, user_id = parts_of(member.id)
        if rollout.offering.kind is Given.KIT:
            item = self.item_of(rollout)
            if item is None or item.kit is None:
                return None
            return kit_evidence(said, rollout.offering.digest, item.kit.manifest.release)
        if user_id is None:
            return None
        image = VersionName.parse(rollout.offering.name).image
        try:
            user = self._records.users.with_id(user_id)
        except UserUnknownError:
            # Nobody's machine says anything; it leaves when it is next looked who is there.
            return None
        return machine_evidence(said, said.machine(image, user.name))

    def settle(self, rollout: Rollout) -> Rollout:
        """Write down what follows by itself, from counts alone where nothing follows."""
        judged = judgements(rollout, self.tallies(rollout))
        is_exposed = self._records.rollout_members.count_exposed(rollout.id) > 0
        event, _ = next_event(
            rollout, judged, is_exposed=is_exposed, is_revoked=self.is_revoked(rollout)
        )
        if event is None:
            return rollout
        members = tuple(self._records.rollout_members.of_rollout(rollout.id))
        course = Course(rollout, members)
        after = settled(course, self._now, is_revoked=self.is_revoked(rollout))
        return self.keep(course, after)

    def refuse_past_standstill(self, image_id: ImageId, member_id: MemberId) -> None:
        """Raise ``RolloutStandsStillError`` for a machine that failed where nobody is to go on."""
        self._load(member_id)
        for rollout, _ in self.of_image(image_id):
            member = self._members.get(rollout.id, {}).get(member_id)
            if member is not None and member.can_retry and rollout.state in UNDER_WAY - OFFERING:
                raise RolloutStandsStillError(rollout.name, rollout.state)

    def keep(self, seen: Course, after: Course) -> Rollout:
        """Write down how a rollout and its machines are now."""
        before = {one.id: one for one in seen.members}
        changed = [one for one in after.members if before.get(one.id) != one]
        rollout = after.rollout
        if rollout != seen.rollout:
            rollout = self._records.rollouts.change(seen.rollout, rollout)
        self.rollouts = [rollout if one.id == rollout.id else one for one in self.rollouts]
        self._put(rollout, changed)
        return rollout

    def _put(self, rollout: Rollout, members: Sequence[Member]) -> None:
        self._records.rollout_members.put(rollout.id, members)
        self._tallies.pop(rollout.id, None)
        known = self._members.setdefault(rollout.id, {})
        known.update({one.id: one for one in members})

    def note_offers(self, computer: Computer, said: CheckIn, orders: Orders) -> None:
        """Write down who is offered something by these orders, before they are given."""
        if not self.rollouts:
            return
        users = {user.name: user.id for user in map(self._records.users.with_id, computer.users)}
        for order in orders.machines:
            if order.is_staged:
                continue
            member_id = machine_of(computer.id, users[order.user])
            for rollout, version in self.of_image(self._records.images.get(order.image).id):
                if order.version == version.name:
                    evidence = machine_evidence(said, said.machine(order.image, order.user))
                    self._offer(rollout, member_id, evidence, order.attempt)
                else:
                    self._join(rollout, member_id)
        kit = orders.kit
        for rollout in self.of_kits():
            member_id = engine_of(computer.id)
            item = self.item_of(rollout)
            if kit is not None and item is not None and item.kit and kit.kit == item.name:
                evidence = kit_evidence(said, rollout.offering.digest, item.kit.manifest.release)
                self._offer(rollout, member_id, evidence, kit.attempt)
            else:
                self._join(rollout, member_id)

    def _offer(
        self, rollout: Rollout, member_id: MemberId, evidence: Evidence, attempt: int
    ) -> None:
        member = self.member(rollout, member_id)
        if member is not None and member.state is MemberState.WAITING:
            offered = member.offered(self._now, member.past(evidence), attempt)
            self._put(rollout, [offered])

    def _join(self, rollout: Rollout, member_id: MemberId) -> None:
        """Write a machine down that came since, so that it is counted."""
        member = self.member(rollout, member_id)
        known = self._members.get(rollout.id, {}).get(member_id)
        if member is not None and known is None:
            self._put(rollout, [member])

    def look_around(self, who: Callable[[], Roll]) -> None:
        """Now and then, while machines wait, let those leave who are not there any more."""
        late = [one for one in self.rollouts if one.state in OFFERING and self._is_late(one)]
        if not late:
            return
        roll = who()
        for rollout in late:
            self._records.rollouts.set_looked_at(rollout.id, self._now)
            self.keep_present(rollout, roll)

    def _is_late(self, rollout: Rollout) -> bool:
        last = self._records.rollouts.looked_at(rollout.id)
        return last is None or self._now - last >= LOOK_EVERY

    def keep_present(self, rollout: Rollout, who: Roll) -> Rollout:
        """Let those leave who are not there any more, and write down what follows."""
        members = tuple(self._records.rollout_members.of_rollout(rollout.id))
        course = Course(rollout, members)
        after = Course(rollout, tuple(who.present(rollout, members)))
        return self.keep(course, settled(after, self._now, is_revoked=self.is_revoked(rollout)))

    def _of_computer(self, computer: Computer) -> Mapping[RolloutId, Sequence[Member]]:
        found = self._records.rollout_members.of_computer(computer.id)
        for rollout_id, members in found.items():
            self._members.setdefault(rollout_id, {}).update({one.id: one for one in members})
        self._known.add(str(computer.id))
        return found

    def _load(self, member_id: MemberId) -> None:
        computer, _, _ = member_id.partition("/")
        if computer in self._known:
            return
        if self._for_all:
            if not self._members:
                for rollout in self.rollouts:
                    found = self._records.rollout_members.of_rollout(rollout.id)
                    self._members[rollout.id] = {one.id: one for one in found}
            return
        computer_id, _ = parts_of(member_id)
        for rollout_id, members in self._records.rollout_members.of_computer(computer_id).items():
            self._members.setdefault(rollout_id, {}).update({one.id: one for one in members})
        self._known.add(computer)


@dataclass(frozen=True)
class Machine:
    """A machine that something could be rolled out to, with the names by which a ring means it."""

    id: MemberId
    computer: Computer
    user: str
    names: frozenset[str]


class Roll:
    """Who there is to be given something, as one moment sees it."""

    def __init__(self, records: Records, assigned: Assigned) -> None:
        self._records = records
        self._assigned = assigned
        self._computers = [
            one for one in records.computers.all() if one.state is ComputerState.REGISTERED
        ]

    def machines(self, rollout: Rollout) -> Mapping[MemberId, Machine]:
        """Give all that a rollout is about. Who has the staged version tries it before."""
        if rollout.offering.kind is Given.KIT:
            return {
                (own := engine_of(one.id)): Machine(own, one, "", frozenset({one.name}))
                for one in self._computers
            }
        name = VersionName.parse(rollout.offering.name).image
        image_id = self._records.images.get(name).id
        found: dict[MemberId, Machine] = {}
        for computer in self._computers:
            for user_id in computer.users:
                user = self._assigned.users.get(user_id)
                granted = self._assigned.granted(user_id).get(image_id)
                if user is None or granted is None or granted.is_staged:
                    continue
                groups = (group.name for group, _ in granted.by_groups)
                names = frozenset({computer.name, user.name, *groups})
                own = machine_of(computer.id, user_id)
                found[own] = Machine(own, computer, user.name, names)
        return found

    def present(self, rollout: Rollout, members: Iterable[Member]) -> Iterable[Member]:
        """Give the machines with those gone that are not there any more."""
        there = self.machines(rollout)
        for one in members:
            is_gone = one.id not in there and one.state is not MemberState.GONE
            yield one.after(MemberEvent.LEAVE) if is_gone else one
