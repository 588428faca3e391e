"""Show how much devices are bound to servers of their own subnet."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Transactions
    from corral.farm.domain.delivery.ranking import Affinity
    from corral.farm.domain.estate.collection import CollectionName
    from corral.farm.domain.image.image import ImageName


class ShowAffinity:
    """Gives what an image or a collection says; none if it says nothing."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def of_image(self, name: ImageName) -> Affinity | None:
        """Give what an image says, which the collection of a device may overrule."""
        with self._transactions.reading() as records:
            return records.affinities.with_id(records.images.get(name).id).affinity

    def of_collection(self, name: CollectionName) -> Affinity | None:
        """Give what a collection says."""
        with self._transactions.reading() as records:
            return records.affinities.with_id(records.collections.get(name).id).affinity
