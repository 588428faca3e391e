"""Remove a collection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.domain.estate.collection import (
    CollectionChangedError,
    CollectionInUseError,
    CollectionPermanentError,
)

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Transactions
    from corral.farm.domain.estate.collection import Collection, CollectionName


class RemoveCollection:
    """Forgets a collection that no device and no computer is in any more."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, name: CollectionName, revision: int | None = None) -> Collection:
        """Give the collection as it was.

        Raises ``CollectionUnknownError``, ``CollectionPermanentError``, ``CollectionInUseError``
        with the names of what is in it, and ``CollectionChangedError`` as a change does.
        """
        with self._transactions.writing() as records:
            collection = records.collections.get(name)
            if revision not in (None, collection.revision):
                raise CollectionChangedError(name)
            if collection.is_permanent:
                raise CollectionPermanentError(name)
            users = [f"device {one.name}" for one in records.devices.in_collection(collection.id)]
            users += [
                f"computer {one.name}" for one in records.computers.in_collection(collection.id)
            ]
            if users:
                raise CollectionInUseError(name, users)
            records.collections.remove(collection.id)
        return collection
