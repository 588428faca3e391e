"""Begin to give a version or a kit to machines in waves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corral.farm.application.computer_plans import assigned_to_all
from corral.farm.application.kit_way_back import way_back
from corral.farm.application.note_releases import versions_as_of
from corral.farm.application.rollout_courses import Courses, Roll
from corral.farm.application.rollout_machines import (
    kit_evidence,
    machine_evidence,
    parts_of,
)
from corral.farm.domain.computer.plan import version_for
from corral.farm.domain.image.standing import Standing
from corral.farm.domain.image.version import VersionName
from corral.farm.domain.image.write_cache import ImageMode
from corral.farm.domain.library.release import Component
from corral.farm.domain.rollout.errors import (
    NoWayBackError,
    OfferingInvalidError,
    RolloutBusyError,
)
from corral.farm.domain.rollout.evidence import Digest
from corral.farm.domain.rollout.member import Member
from corral.farm.domain.rollout.moves import Course
from corral.farm.domain.rollout.rollout import (
    Given,
    Offering,
    Rollout,
    RolloutId,
    RolloutName,
)
from corral.farm.domain.rollout.state import UNDER_WAY
from corral.farm.domain.rollout.terms import Terms
from corral.farm.domain.rollout.wave import choose_waves, standard_waves

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.sources import Clock, IdSource
    from corral.farm.application.rollout_courses import Machine
    from corral.farm.domain.library.item import ItemName


@dataclass(frozen=True)
class RolloutRequest:
    """What to roll out, and how."""

    name: RolloutName
    given: VersionName | ItemName
    """A version of an image, or a kit by its name in the library."""
    terms: Terms | None = None
    """None: the standard waves and limits."""


@dataclass(frozen=True)
class Started:
    """A rollout as it begins, with who is in which wave."""

    course: Course
    machines: tuple[Machine, ...]
    """Of all that there are, those that are in no wave among them."""


class StartRollout:
    """Settles who is in which wave, and begins; machines are offered it as they check in."""

    def __init__(
        self, transactions: Transactions, ids: IdSource, clock: Clock, by: str = ""
    ) -> None:
        self._transactions = transactions
        self._ids = ids
        self._clock = clock
        self._by = by

    def __call__(self, request: RolloutRequest) -> Started:
        """Begin.

        Raises ``RolloutNameTakenError``, ``RolloutBusyError``, ``OfferingInvalidError``,
        ``NoWayBackError``, ``WavesInvalidError``, and what naming the thing raises.
        """
        with self._transactions.writing() as records:
            started = self._planned(records, request)
            rollout = started.course.rollout
            records.rollouts.add(rollout)
            records.rollouts.set_looked_at(rollout.id, rollout.started_at)
            records.rollout_members.put(rollout.id, started.course.members)
            return started

    def planned(self, request: RolloutRequest) -> Started:
        """Say what would begin, and change nothing; raises the same, but for a taken name."""
        with self._transactions.reading() as records:
            return self._planned(records, request)

    def _planned(self, records: Records, request: RolloutRequest) -> Started:
        now = self._clock.now()
        courses = Courses(records, now)
        offering = _offering(records, request, courses, now)
        roll = Roll(records, assigned_to_all(records, now))
        # Whoever is asked who there is wants to know only what it is about.
        about = Rollout(
            id=RolloutId(self._ids.new()),
            name=request.name,
            offering=offering,
            waves=standard_waves(1),
            started_at=now,
            started_by=self._by,
        )
        machines = roll.machines(about)
        terms = request.terms or Terms(standard_waves(max(1, len(machines))))
        rollout = Rollout(
            id=about.id,
            name=request.name,
            offering=offering,
            waves=terms.waves,
            started_at=now,
            started_by=self._by,
            health=terms.health,
            silent_after=terms.silent_after,
        )
        names = {one.id: one.names for one in machines.values()}
        chosen = choose_waves(rollout.waves, names, offering.digest)
        members = tuple(
            _watched(records, rollout, Member(one, wave), courses)
            for one, wave in sorted(chosen.items())
        )
        return Started(Course(rollout, members), tuple(machines.values()))


def _watched(records: Records, rollout: Rollout, member: Member, courses: Courses) -> Member:
    """Begin the past of a machine with what its computer said last."""
    computer_id, user_id = parts_of(member.id)
    said = records.check_ins.find(computer_id)
    if said is None:
        return member
    if user_id is not None:
        user = records.users.with_id(user_id)
        image = VersionName.parse(rollout.offering.name).image
        return member.watched(machine_evidence(said, said.machine(image, user.name)))
    item = courses.item_of(rollout)
    if item is None or item.kit is None:
        return member
    release = item.kit.manifest.release
    return member.watched(kit_evidence(said, rollout.offering.digest, release))


def _offering(
    records: Records, request: RolloutRequest, courses: Courses, now: datetime
) -> Offering:
    if isinstance(request.given, VersionName):
        return _version(records, request.given, courses, now)
    return _kit(records, request.given, courses)


def _version(records: Records, name: VersionName, courses: Courses, now: datetime) -> Offering:
    image = records.images.get(name.image)
    versions = versions_as_of(records, image.id, now)
    version = next((one for one in versions if one.name == name), records.versions.get(name))
    if image.mode is not ImageMode.SHARED:
        why = "it is of a custom image, whose versions do not reach those who have one already"
        raise OfferingInvalidError(str(name), why)
    if version.standing is not Standing.TEST:
        why = (
            f"it is in {version.standing.value}, and what is rolled out is in test: 'corral image"
            f" promote {name} --to test', or 'corral image revert {name}'"
        )
        raise OfferingInvalidError(str(name), why)
    rolled = courses.of_image(image.id)
    for other, _ in rolled:
        if other.state in UNDER_WAY:
            raise RolloutBusyError(str(name), other.name, other.state.value)
    others = [one for one in versions if one.number != version.number]
    if version_for(image, others, is_staged=False) is None:
        why = (
            "the image has no other version that is released, so that machines would have nothing"
            " to go back to; release one first"
        )
        raise NoWayBackError(str(name), why)
    return Offering(Given.VERSION, str(name), Digest(version.root.hex))


def _kit(records: Records, name: ItemName, courses: Courses) -> Offering:
    item = records.library_items.get(name)
    item.demand_available()
    kit = item.kit
    if kit is None or item.root is None or kit.manifest.component is not Component.ENGINE:
        raise OfferingInvalidError(name, "computers are given kits of the engine only")
    for other in courses.of_kits():
        if other.state in UNDER_WAY:
            raise RolloutBusyError(name, other.name, other.state.value)
    if way_back(records, item) is None:
        why = (
            "the library has no older kit of the engine that its manifest says one can go back to"
            " ('back_to'); import one first, or give it to single computers with"
            " 'corral library assign'"
        )
        raise NoWayBackError(name, why)
    return Offering(Given.KIT, name, Digest(item.root.hex))
