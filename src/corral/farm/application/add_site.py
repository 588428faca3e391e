"""Add a site."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corral.farm.domain.estate.site import Site, SiteId, SiteName

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Transactions
    from corral.farm.application.ports.sources import IdSource
    from corral.farm.domain.estate.subnet import Subnet


@dataclass(frozen=True)
class NewSite:
    """What is asked for."""

    name: SiteName
    description: str = ""
    subnets: tuple[Subnet, ...] = ()


class AddSite:
    """Makes a place for servers and collections."""

    def __init__(self, transactions: Transactions, ids: IdSource) -> None:
        self._transactions = transactions
        self._ids = ids

    def __call__(self, wanted: NewSite) -> Site:
        """Give the new site; raises ``SiteNameTakenError``, ``SubnetsOverlapError``."""
        site = Site(SiteId(self._ids.new()), wanted.name, wanted.description, wanted.subnets)
        with self._transactions.writing() as records:
            site.refuse_overlap(records.sites.all())
            records.sites.add(site)
        return site
