"""List accounts, groups and the roles that they hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from corral.farm.application.listing import Columns
from corral.farm.domain.access.permission import Extent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.domain.access.account import Account, AccountName, Group, GroupName, RoleGrant
    from corral.farm.domain.access.permission import Role


@dataclass(frozen=True)
class RoleView:
    """A role that somebody holds, in words."""

    role: Role
    holder: str
    is_group: bool
    over: str
    """The name of the site or the collection; ``farm`` for roles over the farm."""


@dataclass(frozen=True)
class AccountView:
    """An account with its groups and roles."""

    account: Account
    groups: tuple[GroupName, ...]
    roles: tuple[RoleView, ...]
    """Its own, and those of its groups."""


@dataclass(frozen=True)
class GroupView:
    """A group with its members and roles."""

    group: Group
    members: tuple[AccountName, ...]
    roles: tuple[RoleView, ...]


ACCOUNTS: Final = Columns[AccountView](
    values={
        "name": lambda view: view.account.name,
        "description": lambda view: view.account.description,
        "disabled": lambda view: view.account.disabled,
        "group": lambda view: view.groups,
        "role": lambda view: tuple(one.role.value for one in view.roles),
        "created": lambda view: view.account.created_at,
        "signed-in": lambda view: view.account.signed_in_at,
    },
    identity=lambda view: view.account.name,
)
GROUPS: Final = Columns[GroupView](
    values={
        "name": lambda view: view.group.name,
        "description": lambda view: view.group.description,
        "member": lambda view: view.members,
        "members": lambda view: len(view.members),
        "role": lambda view: tuple(one.role.value for one in view.roles),
    },
    identity=lambda view: view.group.name,
)
ROLES: Final = Columns[RoleView](
    values={
        "holder": lambda view: view.holder,
        "group": lambda view: view.is_group,
        "role": lambda view: view.role.value,
        "over": lambda view: view.over,
    },
    # An account and a group may have one name.
    identity=lambda view: f"{view.holder} {view.is_group} {view.role.value} {view.over}",
)


class ListAccounts:
    """Gives accounts with everything that is granted to them."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self) -> tuple[AccountView, ...]:
        """Give all of them, in the order of names."""
        with self._transactions.reading() as records:
            groups, roles = records.groups.all(), views_of_roles(records)
            return tuple(_account(one, groups, roles) for one in records.accounts.all())


class ShowAccount:
    """Gives one account with everything that is granted to it."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, name: AccountName) -> AccountView:
        """Give it; raises ``AccountUnknownError``."""
        with self._transactions.reading() as records:
            account = records.accounts.get(name)
            return _account(account, records.groups.all(), views_of_roles(records))


class ListGroups:
    """Gives groups with their members and roles."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self) -> tuple[GroupView, ...]:
        """Give all of them, in the order of names."""
        with self._transactions.reading() as records:
            roles = views_of_roles(records)
            return tuple(_group(records, one, roles) for one in records.groups.all())


class ShowGroup:
    """Gives one group with its members and roles."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, name: GroupName) -> GroupView:
        """Give it; raises ``GroupUnknownError``."""
        with self._transactions.reading() as records:
            return _group(records, records.groups.get(name), views_of_roles(records))


class ListRoles:
    """Says who holds which role over what."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self) -> tuple[RoleView, ...]:
        """Give all of them, in the order of the holders' names."""
        with self._transactions.reading() as records:
            views = (view for some in views_of_roles(records).values() for view in some)
            return tuple(sorted(views, key=lambda one: (one.holder, one.role, one.over)))


def views_of_roles(records: Records) -> Mapping[UUID, tuple[RoleView, ...]]:
    """Give the roles of each holder, in words."""
    accounts: dict[UUID, str] = {one.id: one.name for one in records.accounts.all()}
    groups: dict[UUID, str] = {one.id: one.name for one in records.groups.all()}
    places: dict[UUID | None, str] = {one.id: one.name for one in records.sites.all()}
    places.update({one.id: one.name for one in records.collections.all()})
    views: dict[UUID, tuple[RoleView, ...]] = {}
    for granted in records.role_grants.all():
        view = RoleView(
            role=granted.grant.role,
            holder=accounts.get(granted.holder) or groups.get(granted.holder, ""),
            is_group=granted.holder in groups,
            over=_over(granted, places),
        )
        views[granted.holder] = (*views.get(granted.holder, ()), view)
    return views


def _over(granted: RoleGrant, places: Mapping[UUID | None, str]) -> str:
    if granted.grant.role.extent is Extent.FARM:
        return "farm"
    return places.get(granted.grant.site or granted.grant.collection, "(removed)")


def _account(
    account: Account, groups: Sequence[Group], roles: Mapping[UUID, tuple[RoleView, ...]]
) -> AccountView:
    joined = [group for group in groups if account.id in group.members]
    held = (account.id, *(group.id for group in joined))
    return AccountView(
        account=account,
        groups=tuple(group.name for group in joined),
        roles=tuple(view for holder in held for view in roles.get(holder, ())),
    )


def _group(records: Records, group: Group, roles: Mapping[UUID, tuple[RoleView, ...]]) -> GroupView:
    members = (one.name for one in records.accounts.all() if one.id in group.members)
    return GroupView(group, tuple(members), roles.get(group.id, ()))
