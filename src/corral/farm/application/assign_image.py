"""Assign an image to users and user groups, and take it away again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from corral.farm.domain.computer.assignment import AssignmentId, ImageAssignment
from corral.farm.domain.computer.errors import AssigneeMissingError, AssignmentUnknownError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.sources import Clock, IdSource
    from corral.farm.domain.computer.user import UserGroupId, UserGroupName, UserId, UserName
    from corral.farm.domain.image.image import ImageName


class AssignImage:
    """Gives users an image on their computers, the newest version in test if they are staged."""

    def __init__(self, transactions: Transactions, ids: IdSource, clock: Clock) -> None:
        self._transactions = transactions
        self._ids = ids
        self._clock = clock

    def __call__(
        self,
        image: ImageName,
        users: Sequence[UserName] = (),
        groups: Sequence[UserGroupName] = (),
        *,
        is_staged: bool = False,
    ) -> tuple[ImageAssignment, ...]:
        """Give the assignments as they are now; those that are there get the mark, or lose it.

        Raises ``ImageUnknownError``, ``UserUnknownError``, ``UserGroupUnknownError``,
        ``AssigneeMissingError``.
        """
        now = self._clock.now()
        with self._transactions.writing() as records:
            image_id = records.images.get(image).id
            made = []
            for _, holder in _holders(records, users, groups):
                seen = records.image_assignments.find(image_id, holder)
                if seen is None:
                    seen = ImageAssignment(
                        AssignmentId(self._ids.new()), image_id, holder, now, is_staged
                    )
                    records.image_assignments.add(seen)
                elif seen.is_staged is not is_staged:
                    after = replace(seen, is_staged=is_staged)
                    seen = records.image_assignments.change(seen, after)
                made.append(seen)
            return tuple(made)


class UnassignImage:
    """Takes an image away from users; it goes from their computers with what they keep on it."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(
        self,
        image: ImageName,
        users: Sequence[UserName] = (),
        groups: Sequence[UserGroupName] = (),
    ) -> tuple[ImageAssignment, ...]:
        """Give the assignments as they were.

        Who has the image by a user group goes on having it. Raises what an assignment does, and
        ``AssignmentUnknownError``.
        """
        with self._transactions.writing() as records:
            image_id = records.images.get(image).id
            gone = []
            for called, holder in _holders(records, users, groups):
                seen = records.image_assignments.find(image_id, holder)
                if seen is None:
                    raise AssignmentUnknownError(image, called)
                records.image_assignments.remove(seen.id)
                gone.append(seen)
            return tuple(gone)


def _holders(
    records: Records, users: Sequence[UserName], groups: Sequence[UserGroupName]
) -> Iterator[tuple[str, UserId | UserGroupId]]:
    if not users and not groups:
        raise AssigneeMissingError
    for user in dict.fromkeys(users):
        yield f"user {user!r}", records.users.get(user).id
    for group in dict.fromkeys(groups):
        yield f"user group {group!r}", records.user_groups.get(group).id
