"""Set what somebody signs in with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.application.add_account import AccountWithSecret
from corral.farm.application.administrators import keeping_one
from corral.farm.application.give_password import GivePassword, HowToSignIn
from corral.farm.domain.access.access_token import TokenKind
from corral.farm.domain.access.errors import SignInWrongError

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.application.ports.passwords import Passwords
    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.sources import Clock, TokenSource
    from corral.farm.domain.access.account import Account, AccountId, AccountName
    from corral.farm.domain.access.password import KeptPassword, Password


class SetPassword:
    """By an administrator: whoever was signed in to the account is not any more."""

    def __init__(
        self, transactions: Transactions, passwords: Passwords, tokens: TokenSource, clock: Clock
    ) -> None:
        self._transactions = transactions
        self._clock = clock
        self._give = GivePassword(passwords, tokens, clock)

    def __call__(
        self, name: AccountName, how: HowToSignIn | Password = HowToSignIn.ONE_TIME
    ) -> AccountWithSecret:
        """Give the account, with the secret if one was made.

        Raises ``AccountUnknownError``, ``PasswordUnfitError``, ``LastAdministratorError``.
        """
        kept, secret = self._give(name, how)
        with self._transactions.writing() as records, keeping_one(records):
            changed = keep_password(records, records.accounts.get(name), kept, self._clock.now())
        return AccountWithSecret(changed, secret)


class ChangeOwnPassword:
    """By its owner, who knows the one before."""

    def __init__(
        self, transactions: Transactions, passwords: Passwords, tokens: TokenSource, clock: Clock
    ) -> None:
        self._transactions = transactions
        self._passwords = passwords
        self._clock = clock
        self._give = GivePassword(passwords, tokens, clock)

    def __call__(self, account_id: AccountId, old: Password, new: Password) -> Account:
        """Give the account; raises ``SignInWrongError``, ``PasswordUnfitError``."""
        with self._transactions.reading() as records:
            seen = records.accounts.with_id(account_id)
        kept = seen.password
        if not self._passwords.match(None if kept is None else kept.digest, old):
            raise SignInWrongError
        fresh, _ = self._give(seen.name, new)
        with self._transactions.writing() as records:
            return keep_password(records, seen, fresh, self._clock.now())


def keep_password(
    records: Records, seen: Account, kept: KeptPassword | None, now: datetime
) -> Account:
    """Put a password in the place of the one that was seen, and end every session.

    Tokens for programs stay: they were made to outlive people's passwords, and are revoked one by
    one. Raises ``AccountChangedError``.
    """
    changed = records.accounts.change(seen, seen.with_password(kept))
    for token in records.access_tokens.of_account(seen.id):
        if token.kind is TokenKind.SESSION and token.works(now):
            records.access_tokens.set_revoked(token.id, now)
    return changed
