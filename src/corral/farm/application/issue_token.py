"""Make, list and revoke the tokens of programs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from corral.farm.application.listing import Columns
from corral.farm.domain.access.access_token import (
    DEFAULT_LIFE,
    AccessToken,
    AccessTokenId,
    TokenKind,
    checked_expiry,
)
from corral.farm.domain.access.errors import AccessTokenNameTakenError, AccessTokenUnknownError

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.sources import Clock, IdSource, TokenSource
    from corral.farm.domain.access.account import AccountName
    from corral.farm.domain.access.permission import Permission
    from corral.farm.domain.access.token import Token


@dataclass(frozen=True)
class IssuedToken:
    """What the farm keeps of a token, and the token itself: shown now and never again."""

    kept: AccessToken
    secret: Token


@dataclass(frozen=True)
class TokenView:
    """A token, whose it is, and whether it works."""

    token: AccessToken
    account: AccountName
    works: bool


TOKENS: Final = Columns[TokenView](
    values={
        "name": lambda view: view.token.name,
        "account": lambda view: view.account,
        "kind": lambda view: view.token.kind.value,
        "works": lambda view: view.works,
        "scope": lambda view: tuple(sorted(scope.value for scope in view.token.scopes or ())),
        "created": lambda view: view.token.created_at,
        "expires": lambda view: view.token.expires_at,
        "revoked": lambda view: view.token.revoked_at,
    },
    identity=lambda view: str(view.token.id),
    first_sort="created",
)


class IssueToken:
    """Makes a token for a program that acts for an account."""

    def __init__(
        self, transactions: Transactions, ids: IdSource, tokens: TokenSource, clock: Clock
    ) -> None:
        self._transactions = transactions
        self._ids = ids
        self._tokens = tokens
        self._clock = clock

    def __call__(
        self,
        account: AccountName,
        name: str,
        scopes: frozenset[Permission],
        expires_at: datetime | None = None,
        *,
        life: timedelta = DEFAULT_LIFE,
    ) -> IssuedToken:
        """Give the token, which works until a date or else for so long.

        It never allows more than its account may at that moment. Raises ``AccountUnknownError``,
        ``AccessTokenNameTakenError``, ``TokenLifeError``.
        """
        now = self._clock.now()
        until = checked_expiry(now, expires_at or now + life)
        secret = self._tokens.new()
        with self._transactions.writing() as records:
            owner = records.accounts.get(account)
            for other in records.access_tokens.of_account(owner.id):
                if other.kind is TokenKind.API and other.name == name and other.works(now):
                    raise AccessTokenNameTakenError(account, name)
            kept = AccessToken(
                id=AccessTokenId(self._ids.new()),
                account_id=owner.id,
                name=name,
                kind=TokenKind.API,
                digest=secret.digest(),
                scopes=scopes,
                created_at=now,
                expires_at=until,
            )
            records.access_tokens.add(kept)
        return IssuedToken(kept, secret)


class ListTokens:
    """Gives tokens without their secrets, which nobody has but their owners."""

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    def __call__(self, account: AccountName | None = None) -> tuple[TokenView, ...]:
        """Give those of an account, or everybody's, the oldest first."""
        now = self._clock.now()
        with self._transactions.reading() as records:
            if account is None:
                tokens = records.access_tokens.all()
            else:
                tokens = records.access_tokens.of_account(records.accounts.get(account).id)
            names = {one.id: one.name for one in records.accounts.all()}
            return tuple(TokenView(one, names[one.account_id], one.works(now)) for one in tokens)


class RevokeToken:
    """Ends a token at once."""

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    def __call__(self, token: str, account: AccountName | None = None) -> AccessToken:
        """Give it as it is now; ``token`` is its id, or its name together with its account.

        Revoking it again does nothing. Raises ``AccessTokenUnknownError``.
        """
        now = self._clock.now()
        with self._transactions.writing() as records:
            found = self._found(records, token, account)
            if found.revoked_at is not None:
                return found
            records.access_tokens.set_revoked(found.id, now)
            return replace(found, revoked_at=now)

    def _found(self, records: Records, token: str, account: AccountName | None) -> AccessToken:
        now = self._clock.now()
        if account is None:
            candidates = records.access_tokens.all()
        else:
            candidates = records.access_tokens.of_account(records.accounts.get(account).id)
        by_id = [one for one in candidates if str(one.id) == token]
        by_name = [] if account is None else [one for one in candidates if one.name == token]
        # Of several with one name at most one works: the others were revoked or have expired.
        for one in (*by_id, *sorted(by_name, key=lambda one: not one.works(now))):
            return one
        raise AccessTokenUnknownError(token)
