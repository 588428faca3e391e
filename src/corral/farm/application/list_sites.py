"""List the sites."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from corral.farm.application.listing import Columns

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.domain.estate.site import Site, SiteName


@dataclass(frozen=True)
class SiteView:
    """A site and how much belongs to it."""

    site: Site
    servers: int
    collections: int
    devices: int


SITES: Final = Columns[SiteView](
    values={
        "name": lambda view: view.site.name,
        "description": lambda view: view.site.description,
        "subnet": lambda view: tuple(map(str, view.site.subnets)),
        "servers": lambda view: view.servers,
        "collections": lambda view: view.collections,
        "devices": lambda view: view.devices,
    },
    identity=lambda view: view.site.name,
)


class ListSites:
    """Gives all sites, in the order of names."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self) -> tuple[SiteView, ...]:
        """Give a view of each."""
        with self._transactions.reading() as records:
            return _views(records)


class ShowSite:
    """Gives one site."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, name: SiteName) -> SiteView:
        """Give its view; raises ``SiteUnknownError``."""
        with self._transactions.reading() as records:
            site = records.sites.get(name)
            return next(view for view in _views(records) if view.site.id == site.id)


def _views(records: Records) -> tuple[SiteView, ...]:
    collections = {one.id: one.site_id for one in records.collections.all()}
    servers_at = Counter(server.site_id for server in records.servers.all())
    collections_at = Counter(collections.values())
    devices_at = Counter(collections[one.collection_id] for one in records.devices.all())
    return tuple(
        SiteView(site, servers_at[site.id], collections_at[site.id], devices_at[site.id])
        for site in records.sites.all()
    )
