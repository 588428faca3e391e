"""Say how many servers hold each version of a store, and what copies may take of a site's lines."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from corral.farm.application.spread_versions import spread_versions
from corral.farm.domain.estate.site import SiteChangedError
from corral.farm.domain.estate.store import StoreChangedError

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.estate.replication import Bandwidth
    from corral.farm.domain.estate.site import Site, SiteName
    from corral.farm.domain.estate.store import Store, StoreName


class SetCopies:
    """Sets a store's policy; what is too few begins to flow at once, what is too many stays."""

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    def __call__(self, name: StoreName, copies: int | None, revision: int | None = None) -> Store:
        """Give the store as it is now; no ``copies`` means on every server.

        Raises ``StoreUnknownError``, and ``StoreChangedError`` if ``revision`` is given and is not
        that of the store any more.
        """
        with self._transactions.writing() as records:
            seen = records.stores.get(name)
            if revision not in (None, seen.revision):
                raise StoreChangedError(name)
            after = replace(seen, copies=copies)
            changed = seen if after == seen else records.stores.change(seen, after)
            spread_versions(records, self._clock.now())
            return changed


class LimitReplication:
    """Sets what copies may take of the lines to a site's servers, by time of day."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, name: SiteName, bandwidth: Bandwidth, revision: int | None = None) -> Site:
        """Give the site as it is now.

        Raises ``SiteUnknownError``, and ``SiteChangedError`` if ``revision`` is given and is not
        that of the site any more.
        """
        with self._transactions.writing() as records:
            seen = records.sites.get(name)
            if revision not in (None, seen.revision):
                raise SiteChangedError(name)
            after = replace(seen, bandwidth=bandwidth)
            if after == seen:
                return seen
            changed = records.sites.change(seen, after)
            records.farm.raise_generation()
            return changed
