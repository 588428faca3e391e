"""Add, change and remove user groups."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from corral.farm.domain.computer.errors import UserGroupChangedError
from corral.farm.domain.computer.user import UserGroup, UserGroupId

if TYPE_CHECKING:
    from collections.abc import Iterable

    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.sources import IdSource
    from corral.farm.domain.computer.user import UserGroupName, UserId, UserName


class AddUserGroup:
    """Adds a user group that has no image yet."""

    def __init__(self, transactions: Transactions, ids: IdSource) -> None:
        self._transactions = transactions
        self._ids = ids

    def __call__(
        self, name: UserGroupName, members: Iterable[UserName] = (), description: str = ""
    ) -> UserGroup:
        """Give the new user group; raises ``UserGroupNameTakenError``, ``UserUnknownError``."""
        with self._transactions.writing() as records:
            group = UserGroup(
                UserGroupId(self._ids.new()), name, description, _ids_of(records, members)
            )
            records.user_groups.add(group)
            return group


class ChangeUserGroup:
    """Changes what a user group is for and who is in it."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(
        self,
        name: UserGroupName,
        *,
        add: Iterable[UserName] = (),
        remove: Iterable[UserName] = (),
        description: str | None = None,
        revision: int | None = None,
    ) -> UserGroup:
        """Give the user group as it is now; who leaves it loses what they have by it alone.

        Raises ``UserGroupUnknownError``, ``UserUnknownError``, and ``UserGroupChangedError`` if it
        does not have the ``revision`` that was seen.
        """
        with self._transactions.writing() as records:
            seen = records.user_groups.get(name)
            if revision not in (None, seen.revision):
                raise UserGroupChangedError(name)
            after = replace(
                seen,
                description=seen.description if description is None else description,
                members=(seen.members | _ids_of(records, add)) - _ids_of(records, remove),
            )
            return seen if after == seen else records.user_groups.change(seen, after)


class RemoveUserGroup:
    """Removes a user group; its members lose what they have by it alone."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, name: UserGroupName, revision: int | None = None) -> UserGroup:
        """Give what was removed.

        Raises ``UserGroupUnknownError``, and ``UserGroupChangedError`` as a change does.
        """
        with self._transactions.writing() as records:
            group = records.user_groups.get(name)
            if revision not in (None, group.revision):
                raise UserGroupChangedError(name)
            # One by one, so that the audit log tells of each.
            for assignment in records.image_assignments.of_holders([group.id]):
                records.image_assignments.remove(assignment.id)
            records.user_groups.remove(group.id)
        return group


def _ids_of(records: Records, names: Iterable[UserName]) -> frozenset[UserId]:
    return frozenset(records.users.get(name).id for name in names)
