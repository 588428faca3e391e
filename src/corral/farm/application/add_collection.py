"""Add a collection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corral.farm.domain.estate.collection import Collection, CollectionId, CollectionName
from corral.farm.domain.estate.site import FIRST_SITE

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Transactions
    from corral.farm.application.ports.sources import IdSource
    from corral.farm.domain.estate.site import SiteName


@dataclass(frozen=True)
class NewCollection:
    """What is asked for; of no site means of the one that the farm began with."""

    name: CollectionName
    site: SiteName | None = None
    description: str = ""


class AddCollection:
    """Makes a place for devices."""

    def __init__(self, transactions: Transactions, ids: IdSource) -> None:
        self._transactions = transactions
        self._ids = ids

    def __call__(self, wanted: NewCollection) -> Collection:
        """Give the new collection; raises ``CollectionNameTakenError``, ``SiteUnknownError``."""
        with self._transactions.writing() as records:
            site_id = FIRST_SITE.id if wanted.site is None else records.sites.get(wanted.site).id
            collection = Collection(
                CollectionId(self._ids.new()), wanted.name, site_id, wanted.description
            )
            records.collections.add(collection)
        return collection
