"""List the collections."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from corral.farm.application.listing import Columns

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.domain.estate.collection import Collection, CollectionName
    from corral.farm.domain.estate.site import Site


@dataclass(frozen=True)
class CollectionView:
    """A collection, where it is, and how many devices it has."""

    collection: Collection
    site: Site
    devices: int


COLLECTIONS: Final = Columns[CollectionView](
    values={
        "name": lambda view: view.collection.name,
        "site": lambda view: view.site.name,
        "description": lambda view: view.collection.description,
        "devices": lambda view: view.devices,
    },
    identity=lambda view: view.collection.name,
)


class ListCollections:
    """Gives all collections, in the order of names."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self) -> tuple[CollectionView, ...]:
        """Give a view of each."""
        with self._transactions.reading() as records:
            return _views(records)


class ShowCollection:
    """Gives one collection."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, name: CollectionName) -> CollectionView:
        """Give its view; raises ``CollectionUnknownError``."""
        with self._transactions.reading() as records:
            found = records.collections.get(name)
            return next(view for view in _views(records) if view.collection.id == found.id)


def _views(records: Records) -> tuple[CollectionView, ...]:
    sites = {site.id: site for site in records.sites.all()}
    devices_in = Counter(device.collection_id for device in records.devices.all())
    return tuple(
        CollectionView(one, sites[one.site_id], devices_in[one.id])
        for one in records.collections.all()
    )
