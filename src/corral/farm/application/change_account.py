"""Change an account: what it is for, and whether it works."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from corral.farm.application.administrators import keeping_one
from corral.farm.domain.access.errors import AccountChangedError

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Transactions
    from corral.farm.domain.access.account import Account, AccountName


class ChangeAccount:
    """A disabled account keeps its roles, for the day when it is enabled again."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(
        self,
        name: AccountName,
        *,
        description: str | None = None,
        disabled: bool | None = None,
        revision: int | None = None,
    ) -> Account:
        """Give the account as it is now; what is None stays.

        Raises ``AccountUnknownError``, ``LastAdministratorError``, and ``AccountChangedError`` if
        it does not have the ``revision`` that was seen.
        """
        with self._transactions.writing() as records:
            seen = records.accounts.get(name)
            if revision is not None and revision != seen.revision:
                raise AccountChangedError(name)
            after = replace(
                seen,
                description=seen.description if description is None else description,
                disabled=seen.disabled if disabled is None else disabled,
            )
            if after == seen:
                return seen
            with keeping_one(records):
                return records.accounts.change(seen, after)
