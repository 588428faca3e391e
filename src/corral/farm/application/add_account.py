"""Add an account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corral.farm.application.give_password import GivePassword, HowToSignIn
from corral.farm.domain.access.account import Account, AccountId

if TYPE_CHECKING:
    from corral.farm.application.ports.passwords import Passwords
    from corral.farm.application.ports.records import Transactions
    from corral.farm.application.ports.sources import Clock, IdSource, TokenSource
    from corral.farm.domain.access.account import AccountName
    from corral.farm.domain.access.password import Password


@dataclass(frozen=True)
class AccountWithSecret:
    """The account, and the one-time secret that was made for it: shown now and never again."""

    account: Account
    secret: Password | None = None


class AddAccount:
    """Adds somebody who holds no role yet."""

    def __init__(
        self,
        transactions: Transactions,
        passwords: Passwords,
        ids: IdSource,
        tokens: TokenSource,
        clock: Clock,
    ) -> None:
        self._transactions = transactions
        self._ids = ids
        self._clock = clock
        self._give = GivePassword(passwords, tokens, clock)

    def __call__(
        self,
        name: AccountName,
        how: HowToSignIn | Password = HowToSignIn.ONE_TIME,
        description: str = "",
    ) -> AccountWithSecret:
        """Give the new account; raises ``AccountNameTakenError``, ``PasswordUnfitError``."""
        # Hashing takes its time, and would hold every other writer up inside the transaction.
        kept, secret = self._give(name, how)
        account = Account(
            id=AccountId(self._ids.new()),
            name=name,
            created_at=self._clock.now(),
            description=description,
            password=kept,
        )
        with self._transactions.writing() as records:
            records.accounts.add(account)
        return AccountWithSecret(account, secret)
