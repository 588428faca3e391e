"""Accounts, groups, roles and tokens in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from corral.farm.adapters.memory.state import State
    from corral.farm.domain.access.access_token import AccessToken, AccessTokenId
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
    from corral.farm.domain.access.token import TokenDigest


class MemoryAccounts:
    """Accounts by id."""

    def __init__(self, state: State) -> None:
        self._state = state

    def add(self, account: Account) -> None:
        """Add one."""
        if self.find(account.name) is not None:
            raise AccountNameTakenError(account.name)
        self._state.accounts[account.id] = account

    def get(self, name: AccountName) -> Account:
        """Give the one of that name."""
        account = self.find(name)
        if account is None:
            raise AccountUnknownError(name)
        return account

    def find(self, name: AccountName) -> Account | None:
        """Give the one of that name, if there is one."""
        return next((one for one in self._state.accounts.values() if one.name == name), None)

    def with_id(self, account_id: AccountId) -> Account:
        """Give the one with that id."""
        try:
            return self._state.accounts[account_id]
        except KeyError:
            raise AccountUnknownError(str(account_id)) from None

    def all(self) -> Sequence[Account]:
        """Give all of them."""
        return sorted(self._state.accounts.values(), key=lambda account: account.name)

    def change(self, seen: Account, after: Account) -> Account:
        """Change it if its revision is still the one that was seen."""
        if self.with_id(seen.id).revision != seen.revision:
            raise AccountChangedError(seen.name)
        changed = replace(after, id=seen.id, revision=seen.revision + 1)
        self._state.accounts[seen.id] = changed
        return changed

    def set_signed_in(self, account_id: AccountId, now: datetime) -> None:
        """Overwrite the moment."""
        self._state.accounts[account_id] = replace(self.with_id(account_id), signed_in_at=now)

    def remove(self, account_id: AccountId) -> None:
        """Forget it, and what belongs to it."""
        state = self._state
        state.accounts.pop(account_id, None)
        for group in list(state.groups.values()):
            members = group.members - {account_id}
            state.groups[group.id] = replace(group, members=members)
        _forget_roles(state, account_id)
        state.access_tokens = {
            key: token
            for key, token in state.access_tokens.items()
            if token.account_id != account_id
        }


class MemoryGroups:
    """Groups by id."""

    def __init__(self, state: State) -> None:
        self._state = state

    def add(self, group: Group) -> None:
        """Add one."""
        if self.find(group.name) is not None:
            raise GroupNameTakenError(group.name)
        self._state.groups[group.id] = group

    def get(self, name: GroupName) -> Group:
        """Give the one of that name."""
        group = self.find(name)
        if group is None:
            raise GroupUnknownError(name)
        return group

    def find(self, name: GroupName) -> Group | None:
        """Give the one of that name, if there is one."""
        return next((one for one in self._state.groups.values() if one.name == name), None)

    def with_id(self, group_id: GroupId) -> Group:
        """Give the one with that id."""
        try:
            return self._state.groups[group_id]
        except KeyError:
            raise GroupUnknownError(str(group_id)) from None

    def all(self) -> Sequence[Group]:
        """Give all of them."""
        return sorted(self._state.groups.values(), key=lambda group: group.name)

    def change(self, seen: Group, after: Group) -> Group:
        """Change it if its revision is still the one that was seen."""
        if self.with_id(seen.id).revision != seen.revision:
            raise GroupChangedError(seen.name)
        changed = replace(after, id=seen.id, revision=seen.revision + 1)
        self._state.groups[seen.id] = changed
        return changed

    def remove(self, group_id: GroupId) -> None:
        """Forget it and its roles."""
        self._state.groups.pop(group_id, None)
        _forget_roles(self._state, group_id)


class MemoryRoleGrants:
    """Grants by id."""

    def __init__(self, state: State) -> None:
        self._state = state

    def add(self, granted: RoleGrant) -> None:
        """Add one."""
        self._state.role_grants[granted.id] = granted

    def with_id(self, grant_id: RoleGrantId) -> RoleGrant:
        """Give the one with that id."""
        try:
            return self._state.role_grants[grant_id]
        except KeyError:
            raise RoleNotGrantedError(str(grant_id), "?") from None

    def all(self) -> Sequence[RoleGrant]:
        """Give all of them."""
        return sorted(self._state.role_grants.values(), key=lambda granted: granted.id.hex)

    def remove(self, grant_id: RoleGrantId) -> None:
        """Forget it."""
        self._state.role_grants.pop(grant_id, None)


class MemoryAccessTokens:
    """Tokens by id."""

    def __init__(self, state: State) -> None:
        self._state = state

    def add(self, token: AccessToken) -> None:
        """Add one."""
        self._state.access_tokens[token.id] = token

    def with_id(self, token_id: AccessTokenId) -> AccessToken:
        """Give the one with that id."""
        try:
            return self._state.access_tokens[token_id]
        except KeyError:
            raise AccessTokenUnknownError(str(token_id)) from None

    def with_digest(self, digest: TokenDigest) -> AccessToken | None:
        """Give the one of that digest."""
        tokens = self._state.access_tokens.values()
        return next((one for one in tokens if one.digest == digest), None)

    def of_account(self, account_id: AccountId) -> Sequence[AccessToken]:
        """Give those of an account."""
        return [token for token in self.all() if token.account_id == account_id]

    def all(self) -> Sequence[AccessToken]:
        """Give all of them."""
        tokens = self._state.access_tokens.values()
        return sorted(tokens, key=lambda token: (token.created_at, token.id.hex))

    def set_revoked(self, token_id: AccessTokenId, now: datetime) -> None:
        """Set the moment."""
        self._state.access_tokens[token_id] = replace(self.with_id(token_id), revoked_at=now)

    def forget_expired(self, before: datetime) -> None:
        """Forget those that expired before a moment."""
        tokens = self._state.access_tokens
        self._state.access_tokens = {
            key: token for key, token in tokens.items() if token.expires_at >= before
        }


def _forget_roles(state: State, holder: UUID) -> None:
    state.role_grants = {
        key: granted for key, granted in state.role_grants.items() if granted.holder != holder
    }
