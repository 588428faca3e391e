"""Change a site."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from corral.farm.application.edits import KEEP, Edit, edited
from corral.farm.domain.estate.site import SiteChangedError

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Transactions
    from corral.farm.domain.estate.site import Site, SiteName
    from corral.farm.domain.estate.subnet import Subnet


@dataclass(frozen=True)
class SiteEdit:
    """What is to be different."""

    name: Edit[SiteName] = KEEP
    description: Edit[str] = KEEP
    subnets: Edit[tuple[Subnet, ...]] = KEEP


class ChangeSite:
    """Renames it, describes it, says where its devices are."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, name: SiteName, edit: SiteEdit, revision: int | None = None) -> Site:
        """Give the site as it is now.

        Raises ``SiteUnknownError``, ``SiteNameTakenError``, ``SubnetsOverlapError``, and
        ``SiteChangedError`` if ``revision`` is given and is not that of the site any more.
        """
        with self._transactions.writing() as records:
            seen = records.sites.get(name)
            if revision not in (None, seen.revision):
                raise SiteChangedError(name)
            after = replace(
                seen,
                name=edited(edit.name, seen.name),
                description=edited(edit.description, seen.description),
                subnets=edited(edit.subnets, seen.subnets),
            )
            if after == seen:
                return seen
            after.refuse_overlap(records.sites.all())
            return records.sites.change(seen, after)
