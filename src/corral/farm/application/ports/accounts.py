"""What the farm remembers of accounts, groups, roles and the tokens of both people and programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

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


class Accounts(Protocol):
    """The accounts."""

    def add(self, account: Account) -> None:
        """Add one; raises ``AccountNameTakenError``."""
        ...

    def get(self, name: AccountName) -> Account:
        """Give the one of that name; raises ``AccountUnknownError``."""
        ...

    def find(self, name: AccountName) -> Account | None:
        """Give the one of that name, if there is one."""
        ...

    def with_id(self, account_id: AccountId) -> Account:
        """Give the one with that id; raises ``AccountUnknownError``."""
        ...

    def all(self) -> Sequence[Account]:
        """Give all of them, in the order of names."""
        ...

    def change(self, seen: Account, after: Account) -> Account:
        """Put ``after`` in the place of ``seen``, and give it with its new revision.

        Raises ``AccountChangedError`` if it was changed since it was seen,
        ``AccountUnknownError`` if it is gone.
        """
        ...

    def set_signed_in(self, account_id: AccountId, now: datetime) -> None:
        """Remember when somebody last signed in."""
        ...

    def remove(self, account_id: AccountId) -> None:
        """Forget it, its roles, its tokens, and that it is in groups."""
        ...


class Groups(Protocol):
    """The groups with their members."""

    def add(self, group: Group) -> None:
        """Add one; raises ``GroupNameTakenError``."""
        ...

    def get(self, name: GroupName) -> Group:
        """Give the one of that name; raises ``GroupUnknownError``."""
        ...

    def find(self, name: GroupName) -> Group | None:
        """Give the one of that name, if there is one."""
        ...

    def with_id(self, group_id: GroupId) -> Group:
        """Give the one with that id; raises ``GroupUnknownError``."""
        ...

    def all(self) -> Sequence[Group]:
        """Give all of them, in the order of names."""
        ...

    def change(self, seen: Group, after: Group) -> Group:
        """Put ``after`` in the place of ``seen``, and give it with its new revision.

        Raises ``GroupChangedError`` if it was changed since it was seen, ``GroupUnknownError`` if
        it is gone.
        """
        ...

    def remove(self, group_id: GroupId) -> None:
        """Forget it and its roles."""
        ...


class RoleGrants(Protocol):
    """Who holds which role over what."""

    def add(self, granted: RoleGrant) -> None:
        """Add one; the caller has seen that it is not there yet."""
        ...

    def with_id(self, grant_id: RoleGrantId) -> RoleGrant:
        """Give the one with that id; raises ``RoleNotGrantedError``."""
        ...

    def all(self) -> Sequence[RoleGrant]:
        """Give all of them, in the order of their ids."""
        ...

    def remove(self, grant_id: RoleGrantId) -> None:
        """Forget it."""
        ...


class AccessTokens(Protocol):
    """The tokens, those among them that work no more."""

    def add(self, token: AccessToken) -> None:
        """Add one."""
        ...

    def with_id(self, token_id: AccessTokenId) -> AccessToken:
        """Give the one with that id; raises ``AccessTokenUnknownError``."""
        ...

    def with_digest(self, digest: TokenDigest) -> AccessToken | None:
        """Give the one of that digest."""
        ...

    def of_account(self, account_id: AccountId) -> Sequence[AccessToken]:
        """Give those of an account, the oldest first."""
        ...

    def all(self) -> Sequence[AccessToken]:
        """Give all of them, the oldest first."""
        ...

    def set_revoked(self, token_id: AccessTokenId, now: datetime) -> None:
        """Remember that it works no more."""
        ...

    def forget_expired(self, before: datetime) -> None:
        """Forget those that expired before a moment."""
        ...
