"""Say when the farm moves devices by itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from corral.farm.domain.delivery.rebalance import BalanceChangedError

if TYPE_CHECKING:
    from datetime import timedelta

    from corral.farm.application.ports.records import Transactions
    from corral.farm.domain.delivery.rebalance import BalanceRules


@dataclass(frozen=True)
class BalanceWish:
    """What is to be another way; none leaves a rule as it is."""

    is_automatic: bool | None = None
    every: timedelta | None = None
    over_percent: int | None = None
    least_devices: int | None = None
    booting_percent: int | None = None

    def applied_to(self, rules: BalanceRules) -> BalanceRules:
        """Give the rules as they are to be."""
        wished = {name: value for name, value in vars(self).items() if value is not None}
        return replace(rules, **wished)


class SetBalance:
    """Changes single rules, and gives all of them as they are then."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, wish: BalanceWish, revision: int | None = None) -> BalanceRules:
        """Change what is wished for.

        Raises ``BalanceRuleError``, and ``BalanceChangedError`` if ``revision`` is given and is not
        that of the rules any more.
        """
        with self._transactions.writing() as records:
            seen = records.balance.get()
            if revision not in (None, seen.revision):
                raise BalanceChangedError
            rules = wish.applied_to(seen)
            if rules != seen:
                records.balance.change(seen, rules)
            return records.balance.get()
