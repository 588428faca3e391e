"""Remove an account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.application.administrators import keeping_one

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Transactions
    from corral.farm.domain.access.account import Account, AccountName


class RemoveAccount:
    """Its roles and tokens go with it; the audit log goes on naming it."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, name: AccountName) -> Account:
        """Give what was removed; raises ``AccountUnknownError``, ``LastAdministratorError``."""
        with self._transactions.writing() as records:
            account = records.accounts.get(name)
            with keeping_one(records):
                records.accounts.remove(account.id)
            return account
