"""Say how often and how fast the servers of a store read all that they keep."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from corral.farm.domain.estate.store import StoreChangedError

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Transactions
    from corral.farm.domain.estate.scrub import ScrubPolicy
    from corral.farm.domain.estate.store import Store, StoreName


class SetScrub:
    """Sets a store's policy; a pass that is under way goes on by the new one."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, name: StoreName, policy: ScrubPolicy, revision: int | None = None) -> Store:
        """Give the store as it is now.

        Raises ``StoreUnknownError``, and ``StoreChangedError`` if ``revision`` is given and is not
        that of the store any more.
        """
        with self._transactions.writing() as records:
            seen = records.stores.get(name)
            if revision not in (None, seen.revision):
                raise StoreChangedError(name)
            after = replace(seen, scrub=policy)
            if after == seen:
                return seen
            changed = records.stores.change(seen, after)
            records.farm.raise_generation()
            return changed
