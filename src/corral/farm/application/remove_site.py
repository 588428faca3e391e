"""Remove a site."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.domain.estate.site import SiteChangedError, SiteInUseError, SitePermanentError

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Transactions
    from corral.farm.domain.estate.site import Site, SiteName


class RemoveSite:
    """Forgets a site that nothing belongs to any more."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, name: SiteName, revision: int | None = None) -> Site:
        """Give the site as it was.

        Raises ``SiteUnknownError``, ``SitePermanentError``, ``SiteInUseError`` with the names of
        what belongs to it, and ``SiteChangedError`` as a change does.
        """
        with self._transactions.writing() as records:
            site = records.sites.get(name)
            if revision not in (None, site.revision):
                raise SiteChangedError(name)
            if site.is_permanent:
                raise SitePermanentError(name)
            users = [f"server {s.name}" for s in records.servers.all() if s.site_id == site.id]
            users += [
                f"collection {one.name}"
                for one in records.collections.all()
                if one.site_id == site.id
            ]
            if users:
                raise SiteInUseError(name, users)
            records.sites.remove(site.id)
        return site
