"""What each computer should run: the version that is assigned, and the one that it is told to have.

The two differ only where the assigned one must not be given: a computer that has another keeps it,
for what is left out of its orders is removed from it with all that its user keeps there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from corral.farm.domain.computer.assignment import granted_to
from corral.farm.domain.computer.computer import MachineKey
from corral.farm.domain.computer.policy import USUAL_POLICY, MachinePolicy
from corral.farm.domain.computer.state import ComputerState
from corral.farm.domain.computer.why import Aim
from corral.farm.domain.image.choice import version_to_start
from corral.farm.domain.image.version import Access
from corral.farm.domain.image.write_cache import ImageMode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from corral.farm.domain.computer.assignment import Granted, ImageAssignment
    from corral.farm.domain.computer.check_in import CheckIn
    from corral.farm.domain.computer.computer import Computer
    from corral.farm.domain.computer.user import User, UserGroup, UserGroupId, UserId
    from corral.farm.domain.computer.why import Block
    from corral.farm.domain.image.image import Image, ImageId
    from corral.farm.domain.image.root import RootHash
    from corral.farm.domain.image.version import Version


@dataclass(frozen=True)
class Assigned:
    """Who gets which image, as one moment sees it; the same for all computers."""

    users: Mapping[UserId, User]
    groups: Sequence[UserGroup]
    assignments: Sequence[ImageAssignment]
    images: Mapping[ImageId, Image]
    versions: Mapping[ImageId, Sequence[Version]]
    """Of every image, as they stand: releases that are due are noted, deleted ones are there."""
    policies: Mapping[ImageId, MachinePolicy]

    def granted(self, user_id: UserId) -> Mapping[ImageId, Granted]:
        """Give what a user has of each image."""
        groups = self._groups_of.get(user_id, ())
        holders: list[UserId | UserGroupId] = [user_id, *(group.id for group in groups)]
        theirs = [one for holder in holders for one in self._held_by.get(holder, ())]
        return granted_to(user_id, groups, theirs)

    @cached_property
    def _groups_of(self) -> Mapping[UserId, Sequence[UserGroup]]:
        found: dict[UserId, list[UserGroup]] = {}
        for group in self.groups:
            for member in group.members:
                found.setdefault(member, []).append(group)
        return found

    @cached_property
    def _held_by(self) -> Mapping[UserId | UserGroupId, Sequence[ImageAssignment]]:
        found: dict[UserId | UserGroupId, list[ImageAssignment]] = {}
        for one in self.assignments:
            found.setdefault(one.holder, []).append(one)
        return found

    def policy(self, image_id: ImageId) -> MachinePolicy:
        """Give how machines of an image are run."""
        return self.policies.get(image_id, USUAL_POLICY)


@dataclass(frozen=True)
class Choice:
    """One machine whose version is to be chosen."""

    computer: Computer
    said: CheckIn | None
    user: User
    image: Image
    granted: Granted
    usual: Version | None
    """What a device of that kind would start: the rule that there is without a rollout."""


def _usual(choice: Choice) -> Version | None:
    return choice.usual


def _allowed(_choice: Choice, _version: Version) -> Block | None:
    return None


@dataclass(frozen=True)
class Rules:
    """What else decides: rollouts choose another version, facts forbid one. Both are pure."""

    choose: Callable[[Choice], Version | None] = _usual
    forbids: Callable[[Choice, Version], Block | None] = _allowed


USUAL_RULES: Final = Rules()


@dataclass(frozen=True)
class PlannedMachine:
    """What a computer should run of one image for one of its users."""

    key: MachineKey
    image: Image
    user: User
    granted: Granted
    attempt: int
    assigned: Version | None
    """What should run there; none if no version may be started."""
    ordered: Version | None
    """What the computer is told to have: the same, or what it has already."""
    block: Block | None = None
    """Why the two differ."""

    @property
    def aim(self) -> Aim | None:
        """What is to be reached."""
        if self.assigned is None:
            return None
        return Aim(self.assigned.root, self.attempt, self.block)


def plan_machines(
    computer: Computer, said: CheckIn | None, assigned: Assigned, rules: Rules = USUAL_RULES
) -> tuple[PlannedMachine, ...]:
    """Give every machine that a computer should have, in the order of images and users.

    One that waits for approval, or is to erase itself, should have none.
    """
    if computer.state is not ComputerState.REGISTERED:
        return ()
    found = [
        _planned(computer, said, user, assigned.images[image_id], granted, assigned, rules)
        for user_id in computer.users
        if (user := assigned.users.get(user_id)) is not None
        for image_id, granted in granted_to(user_id, assigned.groups, assigned.assignments).items()
    ]
    return tuple(sorted(found, key=lambda one: (one.image.name, one.user.name)))


def version_for(image: Image, versions: Sequence[Version], *, is_staged: bool) -> Version | None:
    """Give what somebody who has an image gets of it, without a rollout and on any computer."""
    kind = Access.TEST if is_staged else Access.PRODUCTION
    return version_to_start(versions, kind, image.pinned)


def _planned(  # noqa: PLR0913, PLR0917 - one machine with all that decides on it
    computer: Computer,
    said: CheckIn | None,
    user: User,
    image: Image,
    granted: Granted,
    assigned: Assigned,
    rules: Rules,
) -> PlannedMachine:
    versions = assigned.versions.get(image.id, ())
    usual = version_for(image, versions, is_staged=granted.is_staged)
    choice = Choice(computer, said, user, image, granted, usual)
    seen = None if said is None else said.machine(image.name, user.name)
    has = None if seen is None else _with_root(versions, seen.runs)
    key = MachineKey(image.id, user.id)
    chosen = rules.choose(choice)
    if image.mode is ImageMode.CUSTOM and has is not None:
        # What its user changed lies over that version and no other.
        chosen = has
    block = None if chosen is None else rules.forbids(choice, chosen)
    ordered = chosen if block is None else None
    return PlannedMachine(
        key=key,
        image=image,
        user=user,
        granted=granted,
        attempt=computer.attempt(key),
        assigned=chosen,
        ordered=ordered or has,
        block=block,
    )


def _with_root(versions: Sequence[Version], root: RootHash | None) -> Version | None:
    """Give the newest with that root, deleted ones among them: the computer has its chunks."""
    found = (version for version in versions if version.root == root)
    return max(found, key=lambda version: (version.is_published, version.number), default=None)
