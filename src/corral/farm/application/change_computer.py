"""Change a computer, and have it try again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from corral.farm.application.edits import KEEP, Edit, Keep, edited
from corral.farm.application.rollout_courses import Courses
from corral.farm.application.rollout_machines import machine_of
from corral.farm.domain.computer.assignment import granted_to
from corral.farm.domain.computer.computer import MachineKey
from corral.farm.domain.computer.errors import (
    ComputerChangedError,
    ComputerUserUnknownError,
    MachineUnknownError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.computer.computer import Computer, ComputerName
    from corral.farm.domain.computer.user import UserId, UserName
    from corral.farm.domain.estate.collection import CollectionName
    from corral.farm.domain.estate.replication import Bandwidth
    from corral.farm.domain.image.image import ImageName


@dataclass(frozen=True)
class ComputerEdit:
    """What is to be different."""

    collection: Edit[CollectionName] = KEEP
    description: Edit[str] = KEEP
    is_paused: Edit[bool] = KEEP
    bandwidth: Edit[Bandwidth] = KEEP
    add_users: tuple[UserName, ...] = ()
    drop_users: tuple[UserName, ...] = ()
    """What they keep there goes when the computer is next heard of."""


class ChangeComputer:
    """Says where a computer belongs, who uses it, and how it may fetch."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(
        self, name: ComputerName, edit: ComputerEdit, revision: int | None = None
    ) -> Computer:
        """Give the computer as it is now.

        Raises ``ComputerUnknownError``, ``CollectionUnknownError``, ``UserUnknownError``,
        ``ComputerUserUnknownError``, and ``ComputerChangedError`` if ``revision`` is given and is
        not that of the computer any more.
        """
        with self._transactions.writing() as records:
            seen = records.computers.get(name)
            if revision not in (None, seen.revision):
                raise ComputerChangedError(name)
            collection_id = seen.collection_id
            if edit.collection is not Keep.KEEP:
                collection_id = records.collections.get(edit.collection).id
            after = replace(
                seen,
                collection_id=collection_id,
                description=edited(edit.description, seen.description),
                is_paused=edited(edit.is_paused, seen.is_paused),
                bandwidth=edited(edit.bandwidth, seen.bandwidth),
                users=_users(records, seen, edit),
            )
            return seen if after == seen else records.computers.change(seen, after)


def _users(records: Records, seen: Computer, edit: ComputerEdit) -> frozenset[UserId]:
    dropped = frozenset(records.users.get(one).id for one in edit.drop_users)
    for name in edit.drop_users:
        if records.users.get(name).id not in seen.users:
            raise ComputerUserUnknownError(seen.name, name)
    added = frozenset(records.users.get(one).id for one in edit.add_users)
    return (seen.users - dropped) | added


class RetryMachine:
    """Has a computer try again what failed or went back there."""

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    def __call__(
        self, name: ComputerName, image: ImageName, users: Iterable[UserName] = ()
    ) -> Computer:
        """Give the computer as it is now; without ``users`` it is for all that use it.

        Raises ``ComputerUnknownError``, ``ImageUnknownError``, ``UserUnknownError``,
        ``MachineUnknownError``, and ``RolloutStandsStillError`` for one that failed in a rollout
        which is halted or paused: nobody begins anything in it, by whatever way.
        """
        with self._transactions.writing() as records:
            courses = Courses(records, self._clock.now())
            seen = records.computers.get(name)
            image_id = records.images.get(image).id
            wanted = [records.users.get(user).id for user in users] or sorted(seen.users)
            after = seen
            for user_id in wanted:
                groups = records.user_groups.of_user(user_id)
                holders = [user_id, *(group.id for group in groups)]
                assignments = records.image_assignments.of_holders(holders)
                if user_id in seen.users and image_id in granted_to(user_id, groups, assignments):
                    courses.refuse_past_standstill(image_id, machine_of(seen.id, user_id))
                    after = after.trying_again(MachineKey(image_id, user_id))
            if after == seen:
                raise MachineUnknownError(name, image)
            return records.computers.change(seen, after)
