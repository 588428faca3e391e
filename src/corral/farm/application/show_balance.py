"""Show when the farm moves devices by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Transactions
    from corral.farm.domain.delivery.rebalance import BalanceRules


class ShowBalance:
    """Gives the rules, the usual ones if nobody has set any."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self) -> BalanceRules:
        """Give them as they are."""
        with self._transactions.reading() as records:
            return records.balance.get()
