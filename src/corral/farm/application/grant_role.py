"""Grant and revoke roles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corral.farm.application.administrators import keeping_one
from corral.farm.domain.access.account import RoleGrant, RoleGrantId
from corral.farm.domain.access.errors import (
    RoleExtentError,
    RoleGrantedError,
    RoleNotGrantedError,
)
from corral.farm.domain.access.permission import Extent, Grant

if TYPE_CHECKING:
    from uuid import UUID

    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.sources import IdSource
    from corral.farm.domain.access.account import AccountName, GroupName
    from corral.farm.domain.access.permission import Role
    from corral.farm.domain.estate.collection import CollectionName
    from corral.farm.domain.estate.site import SiteName


@dataclass(frozen=True)
class WantedRole:
    """A role for somebody over something, by names. One of ``account`` and ``group`` is set."""

    role: Role
    account: AccountName | None = None
    group: GroupName | None = None
    site: SiteName | None = None
    collection: CollectionName | None = None

    @property
    def holder(self) -> str:
        """Who is meant, for messages."""
        return self.account or self.group or ""


class GrantRole:
    """Gives an account or a group a role."""

    def __init__(self, transactions: Transactions, ids: IdSource) -> None:
        self._transactions = transactions
        self._ids = ids

    def __call__(self, wanted: WantedRole) -> RoleGrant:
        """Give the grant.

        Raises ``RoleExtentError``, ``RoleGrantedError``, and the unknown errors of what is named.
        """
        with self._transactions.writing() as records:
            holder, grant = _resolved(records, wanted)
            if _find(records, holder, grant) is not None:
                raise RoleGrantedError(wanted.holder, wanted.role)
            granted = RoleGrant(RoleGrantId(self._ids.new()), holder, grant)
            records.role_grants.add(granted)
            return granted


class RevokeRole:
    """Takes a role from an account or a group."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, wanted: WantedRole) -> RoleGrant:
        """Give what was revoked.

        Raises ``RoleNotGrantedError``, ``LastAdministratorError``, ``RoleExtentError``, and the
        unknown errors of what is named.
        """
        with self._transactions.writing() as records:
            holder, grant = _resolved(records, wanted)
            found = _find(records, holder, grant)
            if found is None:
                raise RoleNotGrantedError(wanted.holder, wanted.role)
            with keeping_one(records):
                records.role_grants.remove(found.id)
            return found


def _resolved(records: Records, wanted: WantedRole) -> tuple[UUID, Grant]:
    has_site, has_collection = wanted.site is not None, wanted.collection is not None
    named = {Extent.FARM: (False, False), Extent.SITE: (True, False)}
    if named.get(wanted.role.extent, (False, True)) != (has_site, has_collection):
        raise RoleExtentError(wanted.role, wanted.role.extent)
    holder: UUID
    if wanted.account is not None:
        holder = records.accounts.get(wanted.account).id
    elif wanted.group is not None:
        holder = records.groups.get(wanted.group).id
    else:
        message = "a role is granted to somebody"
        raise ValueError(message)
    grant = Grant(
        wanted.role,
        None if wanted.site is None else records.sites.get(wanted.site).id,
        None if wanted.collection is None else records.collections.get(wanted.collection).id,
    )
    return holder, grant


def _find(records: Records, holder: UUID, grant: Grant) -> RoleGrant | None:
    for one in records.role_grants.all():
        if one.holder == holder and one.grant == grant:
            return one
    return None
