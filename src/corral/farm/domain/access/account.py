"""Accounts, groups of them, and the roles that they hold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NewType
from uuid import UUID

from corral.farm.domain.access.permission import Grant, Role
from corral.farm.domain.naming import checked_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from corral.farm.domain.access.password import KeptPassword

AccountId = NewType("AccountId", UUID)
AccountName = NewType("AccountName", str)
GroupId = NewType("GroupId", UUID)
GroupName = NewType("GroupName", str)
RoleGrantId = NewType("RoleGrantId", UUID)


def account_name(text: str) -> AccountName:
    """Check a name for an account."""
    return AccountName(checked_name("account", text))


def group_name(text: str) -> GroupName:
    """Check a name for a group."""
    return GroupName(checked_name("group", text))


@dataclass(frozen=True)
class Account:
    """Somebody who may sign in."""

    id: AccountId
    name: AccountName
    created_at: datetime
    description: str = ""
    password: KeptPassword | None = None
    """None: nobody signs in to it with a password; it may have tokens, for programs."""
    disabled: bool = False
    signed_in_at: datetime | None = None
    revision: int = 1

    def with_password(self, password: KeptPassword | None) -> Account:
        """Give the same account with another password."""
        return replace(self, password=password)


@dataclass(frozen=True)
class Group:
    """Accounts that hold roles together."""

    id: GroupId
    name: GroupName
    description: str = ""
    members: frozenset[AccountId] = frozenset()
    revision: int = 1


@dataclass(frozen=True)
class RoleGrant:
    """That an account or a group holds a role over an extent."""

    id: RoleGrantId
    holder: UUID
    """The account's or the group's id."""
    grant: Grant


def grants_of(
    account: Account, groups: Iterable[Group], granted: Iterable[RoleGrant]
) -> frozenset[Grant]:
    """Give what an account holds, by itself and by its groups; nothing if it is disabled."""
    if account.disabled:
        return frozenset()
    holders: set[UUID] = {account.id}
    holders.update(group.id for group in groups if account.id in group.members)
    return frozenset(one.grant for one in granted if one.holder in holders)


def has_administrator(
    accounts: Iterable[Account], groups: Sequence[Group], granted: Sequence[RoleGrant]
) -> bool:
    """Whether somebody can sign in and administrate the farm."""
    needed = Grant(Role.FARM_ADMINISTRATOR)
    return any(
        account.password is not None and needed in grants_of(account, groups, granted)
        for account in accounts
    )
