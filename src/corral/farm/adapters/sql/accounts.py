"""Accounts, groups, roles and tokens in SQL."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ForeignKey,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    Uuid,
    delete,
    insert,
    select,
    update,
)

from corral.farm.adapters.sql.edits import named_once, replaced
from corral.farm.adapters.sql.tables import Instant, Name, metadata
from corral.farm.domain.access.access_token import AccessToken, AccessTokenId, TokenKind
from corral.farm.domain.access.account import (
    Account,
    AccountId,
    AccountName,
    Group,
    GroupId,
    GroupName,
    RoleGrant,
    RoleGrantId,
)
from corral.farm.domain.access.errors import (
    AccessTokenUnknownError,
    AccountChangedError,
    AccountNameTakenError,
    AccountUnknownError,
    GroupChangedError,
    GroupNameTakenError,
    GroupUnknownError,
    RoleNotGrantedError,
)
from corral.farm.domain.access.password import KeptPassword, PasswordDigest
from corral.farm.domain.access.permission import Grant, Permission, Role
from corral.farm.domain.access.token import TokenDigest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import ColumnElement, Connection, Row

account = Table(
    "account",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Name, nullable=False, unique=True),
    Column("description", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("password_digest", Text),
    Column("one_time_until", Instant),
    Column("disabled", Boolean(create_constraint=False), nullable=False),
    Column("signed_in_at", Instant),
    Column("revision", Integer, nullable=False),
)

# "group" is a word of SQL.
account_group = Table(
    "account_group",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Name, nullable=False, unique=True),
    Column("description", Text, nullable=False),
    Column("revision", Integer, nullable=False),
)

account_group_member = Table(
    "account_group_member",
    metadata,
    Column("group_id", Uuid, ForeignKey("account_group.id"), primary_key=True),
    Column("account_id", Uuid, ForeignKey("account.id"), primary_key=True, index=True),
)

role_grant = Table(
    "role_grant",
    metadata,
    Column("id", Uuid, primary_key=True),
    # No foreign keys: the holder is an account or a group, and a grant over a site that is gone
    # allows nothing any more.
    Column("holder_id", Uuid, nullable=False, index=True),
    Column("role", String(32), nullable=False),
    Column("site_id", Uuid),
    Column("collection_id", Uuid),
)

access_token = Table(
    "access_token",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("account_id", Uuid, ForeignKey("account.id"), nullable=False, index=True),
    Column("name", Name, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("digest", LargeBinary(32), nullable=False, unique=True),
    Column("scopes", JSON(none_as_null=True)),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("revoked_at", Instant),
)

_ACCOUNTS = select(account).order_by(account.c.name)
_GROUPS = select(account_group).order_by(account_group.c.name)
_TOKENS = select(access_token).order_by(access_token.c.created_at, access_token.c.id)


class SqlAccounts:
    """A row each."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, account_: Account) -> None:
        """Add one."""
        with named_once(self._connection, AccountNameTakenError(account_.name)):
            self._connection.execute(insert(account).values(_account_values(account_)))

    def get(self, name: AccountName) -> Account:
        """Give the one of that name."""
        found = self.find(name)
        if found is None:
            raise AccountUnknownError(name)
        return found

    def find(self, name: AccountName) -> Account | None:
        """Give the one of that name, if there is one."""
        found = self._select(account.c.name == name)
        return found[0] if found else None

    def with_id(self, account_id: AccountId) -> Account:
        """Give the one with that id."""
        found = self._select(account.c.id == account_id)
        if not found:
            raise AccountUnknownError(str(account_id))
        return found[0]

    def all(self) -> Sequence[Account]:
        """Give all of them."""
        return self._select()

    def change(self, seen: Account, after: Account) -> Account:
        """Change the row if its revision is still the one that was seen."""
        changed = replace(after, id=seen.id, revision=seen.revision + 1)
        values = _account_values(changed)
        if not replaced(self._connection, account, seen.id, seen.revision, values):
            self.with_id(seen.id)
            raise AccountChangedError(seen.name)
        return changed

    def set_signed_in(self, account_id: AccountId, now: datetime) -> None:
        """Overwrite the moment."""
        self._connection.execute(
            update(account).where(account.c.id == account_id).values(signed_in_at=now)
        )

    def remove(self, account_id: AccountId) -> None:
        """Delete the row and those that belong to it."""
        for table, column in (
            (account_group_member, account_group_member.c.account_id),
            (access_token, access_token.c.account_id),
            (role_grant, role_grant.c.holder_id),
            (account, account.c.id),
        ):
            self._connection.execute(delete(table).where(column == account_id))

    def _select(self, *conditions: ColumnElement[bool]) -> list[Account]:
        return [_account(row) for row in self._connection.execute(_ACCOUNTS.where(*conditions))]


class SqlGroups:
    """A row each, and one for each member."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, group: Group) -> None:
        """Add one with its members."""
        with named_once(self._connection, GroupNameTakenError(group.name)):
            self._connection.execute(insert(account_group).values(_group_values(group)))
        self._add_members(group.id, group.members)

    def get(self, name: GroupName) -> Group:
        """Give the one of that name."""
        found = self.find(name)
        if found is None:
            raise GroupUnknownError(name)
        return found

    def find(self, name: GroupName) -> Group | None:
        """Give the one of that name, if there is one."""
        found = self._select(account_group.c.name == name)
        return found[0] if found else None

    def with_id(self, group_id: GroupId) -> Group:
        """Give the one with that id."""
        found = self._select(account_group.c.id == group_id)
        if not found:
            raise GroupUnknownError(str(group_id))
        return found[0]

    def all(self) -> Sequence[Group]:
        """Give all of them."""
        return self._select()

    def change(self, seen: Group, after: Group) -> Group:
        """Change the row if its revision is still the one that was seen."""
        changed = replace(after, id=seen.id, revision=seen.revision + 1)
        values = _group_values(changed)
        if not replaced(self._connection, account_group, seen.id, seen.revision, values):
            self.with_id(seen.id)
            raise GroupChangedError(seen.name)
        self._remove_members(seen.id)
        self._add_members(seen.id, changed.members)
        return changed

    def remove(self, group_id: GroupId) -> None:
        """Delete the row and those that belong to it."""
        self._remove_members(group_id)
        self._connection.execute(delete(role_grant).where(role_grant.c.holder_id == group_id))
        self._connection.execute(delete(account_group).where(account_group.c.id == group_id))

    def _add_members(self, group_id: GroupId, members: Iterable[AccountId]) -> None:
        values = [{"group_id": group_id, "account_id": member} for member in members]
        if values:
            self._connection.execute(insert(account_group_member), values)

    def _remove_members(self, group_id: GroupId) -> None:
        self._connection.execute(
            delete(account_group_member).where(account_group_member.c.group_id == group_id)
        )

    def _select(self, *conditions: ColumnElement[bool]) -> list[Group]:
        rows = self._connection.execute(_GROUPS.where(*conditions)).all()
        members: dict[UUID, set[AccountId]] = {row.id: set() for row in rows}
        wanted = select(account_group_member).where(
            account_group_member.c.group_id.in_(list(members))
        )
        for row in self._connection.execute(wanted):
            members[row.group_id].add(AccountId(row.account_id))
        return [_group(row, frozenset(members[row.id])) for row in rows]


class SqlRoleGrants:
    """A row each."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, granted: RoleGrant) -> None:
        """Add one."""
        self._connection.execute(insert(role_grant).values(_grant_values(granted)))

    def with_id(self, grant_id: RoleGrantId) -> RoleGrant:
        """Give the one with that id."""
        query = select(role_grant).where(role_grant.c.id == grant_id)
        row = self._connection.execute(query).one_or_none()
        if row is None:
            raise RoleNotGrantedError(str(grant_id), "?")
        return _grant(row)

    def all(self) -> Sequence[RoleGrant]:
        """Give all of them; sorted here, for databases do not agree on the order of ids."""
        granted = [_grant(row) for row in self._connection.execute(select(role_grant))]
        return sorted(granted, key=lambda one: one.id.hex)

    def remove(self, grant_id: RoleGrantId) -> None:
        """Delete the row."""
        self._connection.execute(delete(role_grant).where(role_grant.c.id == grant_id))


class SqlAccessTokens:
    """A row each."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, token: AccessToken) -> None:
        """Add one."""
        self._connection.execute(insert(access_token).values(_token_values(token)))

    def with_id(self, token_id: AccessTokenId) -> AccessToken:
        """Give the one with that id."""
        found = self._select(access_token.c.id == token_id)
        if not found:
            raise AccessTokenUnknownError(str(token_id))
        return found[0]

    def with_digest(self, digest: TokenDigest) -> AccessToken | None:
        """Give the one of that digest."""
        found = self._select(access_token.c.digest == digest.value)
        return found[0] if found else None

    def of_account(self, account_id: AccountId) -> Sequence[AccessToken]:
        """Give those of an account."""
        return self._select(access_token.c.account_id == account_id)

    def all(self) -> Sequence[AccessToken]:
        """Give all of them."""
        return self._select()

    def set_revoked(self, token_id: AccessTokenId, now: datetime) -> None:
        """Set the moment."""
        self._connection.execute(
            update(access_token).where(access_token.c.id == token_id).values(revoked_at=now)
        )

    def forget_expired(self, before: datetime) -> None:
        """Delete those that expired before a moment."""
        self._connection.execute(delete(access_token).where(access_token.c.expires_at < before))

    def _select(self, *conditions: ColumnElement[bool]) -> list[AccessToken]:
        return [_token(row) for row in self._connection.execute(_TOKENS.where(*conditions))]


def _account(row: Row[Any]) -> Account:
    password = None
    if row.password_digest is not None:
        password = KeptPassword(PasswordDigest(row.password_digest), row.one_time_until)
    return Account(
        id=AccountId(row.id),
        name=AccountName(row.name),
        created_at=row.created_at,
        description=row.description,
        password=password,
        disabled=row.disabled,
        signed_in_at=row.signed_in_at,
        revision=row.revision,
    )


def _account_values(of: Account) -> dict[str, Any]:
    return {
        "id": of.id,
        "name": of.name,
        "created_at": of.created_at,
        "description": of.description,
        "password_digest": None if of.password is None else of.password.digest.text,
        "one_time_until": None if of.password is None else of.password.one_time_until,
        "disabled": of.disabled,
        "signed_in_at": of.signed_in_at,
        "revision": of.revision,
    }


def _group(row: Row[Any], members: frozenset[AccountId]) -> Group:
    return Group(GroupId(row.id), GroupName(row.name), row.description, members, row.revision)


def _group_values(of: Group) -> dict[str, Any]:
    return {
        "id": of.id,
        "name": of.name,
        "description": of.description,
        "revision": of.revision,
    }


def _grant(row: Row[Any]) -> RoleGrant:
    grant = Grant(Role(row.role), row.site_id, row.collection_id)
    return RoleGrant(RoleGrantId(row.id), row.holder_id, grant)


def _grant_values(of: RoleGrant) -> dict[str, Any]:
    return {
        "id": of.id,
        "holder_id": of.holder,
        "role": of.grant.role.value,
        "site_id": of.grant.site,
        "collection_id": of.grant.collection,
    }


def _token(row: Row[Any]) -> AccessToken:
    # A permission that this release does not know is of a newer one, and allows nothing here.
    known = set(Permission)
    scopes = None
    if row.scopes is not None:
        scopes = frozenset(Permission(one) for one in row.scopes if one in known)
    return AccessToken(
        id=AccessTokenId(row.id),
        account_id=AccountId(row.account_id),
        name=row.name,
        kind=TokenKind(row.kind),
        digest=TokenDigest(row.digest),
        scopes=scopes,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )


def _token_values(of: AccessToken) -> dict[str, Any]:
    return {
        "id": of.id,
        "account_id": of.account_id,
        "name": of.name,
        "kind": of.kind.value,
        "digest": of.digest.value,
        "scopes": None if of.scopes is None else sorted(of.scopes),
        "created_at": of.created_at,
        "expires_at": of.expires_at,
        "revoked_at": of.revoked_at,
    }
