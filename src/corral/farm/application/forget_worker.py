"""A worker ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Transactions


class ForgetWorker:
    """Forgets a worker that said farewell; what it had not done it has handed back."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, name: str) -> None:
        """Forget it."""
        with self._transactions.writing() as records:
            records.workers.remove(name)
