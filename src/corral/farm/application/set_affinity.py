"""Bind devices to servers of their own subnet, by their image or their collection."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Transactions
    from corral.farm.domain.delivery.ranking import Affinity
    from corral.farm.domain.estate.collection import CollectionName
    from corral.farm.domain.image.image import ImageName


class SetAffinity:
    """Takes effect at the next login; nobody is moved."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def of_image(self, name: ImageName, affinity: Affinity | None) -> None:
        """Say it for devices of an image, unless their collection says otherwise."""
        with self._transactions.writing() as records:
            records.affinities.set_affinity(records.images.get(name).id, affinity)

    def of_collection(self, name: CollectionName, affinity: Affinity | None) -> None:
        """Say it for the devices of a collection, whatever their image says."""
        with self._transactions.writing() as records:
            records.affinities.set_affinity(records.collections.get(name).id, affinity)
