"""Add, change and remove groups of accounts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from corral.farm.application.administrators import keeping_one
from corral.farm.domain.access.account import Group, GroupId
from corral.farm.domain.access.errors import GroupChangedError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.sources import IdSource
    from corral.farm.domain.access.account import AccountId, AccountName, GroupName


class AddGroup:
    """Adds a group that holds no role yet."""

    def __init__(self, transactions: Transactions, ids: IdSource) -> None:
        self._transactions = transactions
        self._ids = ids

    def __call__(
        self, name: GroupName, members: Iterable[AccountName] = (), description: str = ""
    ) -> Group:
        """Give the new group; raises ``GroupNameTakenError``, ``AccountUnknownError``."""
        with self._transactions.writing() as records:
            group = Group(GroupId(self._ids.new()), name, description, _ids_of(records, members))
            records.groups.add(group)
            return group


class ChangeGroup:
    """Changes what a group is for and who is in it."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(
        self,
        name: GroupName,
        *,
        add: Iterable[AccountName] = (),
        remove: Iterable[AccountName] = (),
        description: str | None = None,
        revision: int | None = None,
    ) -> Group:
        """Give the group as it is now.

        Raises ``GroupUnknownError``, ``AccountUnknownError``, ``LastAdministratorError``, and
        ``GroupChangedError`` if it does not have the ``revision`` that was seen.
        """
        with self._transactions.writing() as records:
            seen = records.groups.get(name)
            if revision is not None and revision != seen.revision:
                raise GroupChangedError(name)
            after = replace(
                seen,
                description=seen.description if description is None else description,
                members=(seen.members | _ids_of(records, add)) - _ids_of(records, remove),
            )
            if after == seen:
                return seen
            with keeping_one(records):
                return records.groups.change(seen, after)


class RemoveGroup:
    """Removes a group; its members stay, without the roles that they had by it."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, name: GroupName) -> Group:
        """Give what was removed; raises ``GroupUnknownError``, ``LastAdministratorError``."""
        with self._transactions.writing() as records:
            group = records.groups.get(name)
            with keeping_one(records):
                # One by one, so that the audit log tells of each.
                for granted in records.role_grants.all():
                    if granted.holder == group.id:
                        records.role_grants.remove(granted.id)
                records.groups.remove(group.id)
            return group


def _ids_of(records: Records, names: Iterable[AccountName]) -> frozenset[AccountId]:
    return frozenset(records.accounts.get(name).id for name in names)
