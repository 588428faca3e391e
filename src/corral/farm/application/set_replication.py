"""Say how many servers hold each version of a store, and what copies may take of a site's lines."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from corral.farm.application.let_go import surplus_of
from corral.farm.application.spread_versions import missing_copies, spread_versions
from corral.farm.domain.estate.site import SiteChangedError
from corral.farm.domain.estate.store import StoreChangedError

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.estate.replication import Bandwidth, Stays
    from corral.farm.domain.estate.server import ServerName
    from corral.farm.domain.estate.site import Site, SiteName
    from corral.farm.domain.estate.store import Store, StoreName
    from corral.farm.domain.image.version import VersionName

_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class CopiesPlan:
    """What a policy would have come and go."""

    store: Store
    """As it would be."""
    comes: tuple[tuple[VersionName, ServerName], ...]
    goes: tuple[tuple[VersionName, ServerName, Stays], ...]
    """In the order of versions; a copy goes when nothing speaks against it any more."""


class SetCopies:
    """Sets a store's policy.

    What is too few begins to flow at once. What is too many goes, one copy of a version after the
    other, as soon as enough servers have reported that they hold it.
    """

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
            now = self._clock.now()
            changed = records.stores.change(seen, replace(seen, copies=copies, copies_set_at=now))
            spread_versions(records, now)
            return changed

    def plan(self, name: StoreName, copies: int | None) -> CopiesPlan:
        """Say what would come and go, as of what servers have reported by now.

        Raises ``StoreUnknownError``.
        """
        now = self._clock.now()
        with self._transactions.reading() as records:
            # Whatever was said so far counts: the servers will have said it again by then.
            store = replace(records.stores.get(name), copies=copies, copies_set_at=_LONG_AGO)
            keepers = [
                one
                for one in records.servers.all()
                if one.store.belongs_to == store.id and not one.relay
            ]
            names = {keeper.id: keeper.name for keeper in keepers}
            comes, goes = [], []
            for version in records.versions.all():
                if not version.is_published:
                    continue
                replicas = records.replicas.of_root(version.root)
                comes += [
                    (version.name, names[server])
                    for server in missing_copies(keepers, replicas, version.root, copies)
                ]
                goes += [
                    (version.name, keeper.name, one.stays)
                    for one in surplus_of(records, store, keepers, version.root, now)
                    for keeper in keepers
                    if keeper.store.id == one.folder
                ]
        return CopiesPlan(store, tuple(sorted(comes)), tuple(sorted(goes)))


class LimitReplication:
    """Sets what copies may take of the line to a site's servers together, by time of day."""

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
