"""What else decides on what a computer runs: the one place where rollouts, facts and kits come in.

They are given as values to pure functions of ``domain.computer``; nothing below asks for them.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from corral.farm.application.kit_way_back import way_back
from corral.farm.application.note_releases import versions_as_of
from corral.farm.application.rollout_machines import engine_of, machine_of
from corral.farm.domain.computer.orders import KitOrder
from corral.farm.domain.computer.plan import Rules, version_for
from corral.farm.domain.image.write_cache import ImageMode
from corral.farm.domain.library.item import ItemState
from corral.farm.domain.library.release import Component
from corral.farm.domain.rollout.member import MemberState
from corral.farm.domain.rollout.plan import Offered

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from typing import TypeAlias

    from corral.farm.application.compatibility import Facts
    from corral.farm.application.ports.records import Records
    from corral.farm.application.rollout_courses import Courses
    from corral.farm.domain.computer.check_in import CheckIn
    from corral.farm.domain.computer.computer import Computer, ComputerId
    from corral.farm.domain.computer.plan import Choice
    from corral.farm.domain.computer.why import Block
    from corral.farm.domain.image.image import ImageId
    from corral.farm.domain.image.version import Version
    from corral.farm.domain.library.assignment import KitAssignment
    from corral.farm.domain.library.item import Item

    Kits: TypeAlias = Callable[[Computer, CheckIn | None], KitOrder | None]


def rules_of(records: Records, courses: Courses, facts: Facts, now: datetime) -> Rules:
    """Give what rollouts choose and what facts forbid, the same for all computers."""
    rules = _Rules(records, courses, facts, now)
    return Rules(rules.choose, rules.forbids)


class _Rules:
    def __init__(self, records: Records, courses: Courses, facts: Facts, now: datetime) -> None:
        self._records = records
        self._now = now
        self._courses = courses
        self._facts = facts
        self._versions: dict[ImageId, Sequence[Version]] = {}

    def choose(self, choice: Choice) -> Version | None:
        """Give the version that a rollout offers; what is rolled out is nobody's by rule.

        Those who have the staged version try it before anybody else, and what a user has changed of
        a custom image lies over the version that it has.
        """
        rolled = self._courses.of_image(choice.image.id)
        if not rolled or choice.granted.is_staged or choice.image.mode is ImageMode.CUSTOM:
            return choice.usual
        image_id = choice.image.id
        if image_id not in self._versions:
            self._versions[image_id] = versions_as_of(self._records, image_id, self._now)
        numbers = {version.number for _, version in rolled}
        others = [one for one in self._versions[image_id] if one.number not in numbers]
        chosen = version_for(choice.image, others, is_staged=False)
        member_id = machine_of(choice.computer.id, choice.user.id)
        for rollout, version in rolled:
            forbidden = None
            if choice.said is not None:
                forbidden = self._facts.forbids(choice.image, version, choice.said)
            if isinstance(self._courses.answer(rollout, member_id, forbidden), Offered):
                chosen = version
        return chosen

    def forbids(self, choice: Choice, version: Version) -> Block | None:
        """Give the fact that forbids it. One that never said what it is gets no orders anyway."""
        if choice.said is None:
            return None
        return self._facts.block(choice.image, version, choice.said)


def kits_of(records: Records, courses: Courses, facts: Facts, *, for_all: bool) -> Kits:
    """Give what says which release of the engine a computer should run, if it was given one."""
    return _Kits(records, courses, facts, for_all=for_all).order


class _Kits:
    def __init__(self, records: Records, courses: Courses, facts: Facts, *, for_all: bool) -> None:
        self._records = records
        self._courses = courses
        self._facts = facts
        self._for_all = for_all

    @cached_property
    def _given(self) -> Mapping[ComputerId, KitAssignment]:
        return {one.computer_id: one for one in self._records.kit_assignments.all()}

    def order(self, computer: Computer, said: CheckIn | None) -> KitOrder | None:
        """Give it: what it was given by name, else what a rollout offers."""
        if self._for_all:
            given = self._given.get(computer.id)
        else:
            given = self._records.kit_assignments.find(computer.id)
        if given is not None:
            item = self._records.library_items.with_id(given.item_id)
            return self._order(item, given.attempt, said)
        found = None
        for rollout in self._courses.of_kits():
            item_ = self._courses.item_of(rollout)
            if item_ is None or item_.kit is None:
                continue
            forbidden = self._facts.forbids_kit(item_.kit.manifest, said)
            answer = self._courses.answer(rollout, engine_of(computer.id), forbidden)
            if isinstance(answer, Offered):
                found = self._order(item_, answer.attempt, said) or found
                continue
            member = self._courses.member(rollout, engine_of(computer.id))
            if member is not None and member.state is MemberState.WITHDRAWN:
                back = way_back(self._records, item_)
                found = found if back is None else self._order(back, 0, said) or found
        return found

    def _order(self, item: Item, attempt: int, said: CheckIn | None) -> KitOrder | None:
        kit, version = item.kit, item.version
        if kit is None or version is None or item.state is not ItemState.AVAILABLE:
            return None
        if kit.manifest.component is not Component.ENGINE:
            return None
        if self._facts.forbids_kit(kit.manifest, said) is not None:
            return None
        published = self._records.versions.get(version)
        return KitOrder(
            kit=item.name,
            release=str(kit.manifest.release),
            root=published.root,
            signature=published.signature,
            size_bytes=published.size_bytes,
            attempt=attempt,
        )
