"""Remove an account."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from corral.farm.application.administrators import keeping_one

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Records, Transactions
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
                _take_out(records, account)
                records.accounts.remove(account.id)
            return account


def _take_out(records: Records, account: Account) -> None:
    """Say of each group and each role by itself that it is the account's no more.

    The audit log then tells who could do what until when, and somebody who is changing one of the
    groups hears of it.
    """
    for group in records.groups.all():
        if account.id in group.members:
            left = replace(group, members=group.members - {account.id})
            records.groups.change(group, left)
    for granted in records.role_grants.all():
        if granted.holder == account.id:
            records.role_grants.remove(granted.id)
