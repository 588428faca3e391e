"""Remove a store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.domain.estate.store import StoreChangedError, StoreInUseError, StorePermanentError

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Transactions
    from corral.farm.domain.estate.store import Store, StoreName


class RemoveStore:
    """Forgets a store that no server keeps any more."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, name: StoreName, revision: int | None = None) -> Store:
        """Give the store as it was.

        Raises ``StoreUnknownError``, ``StorePermanentError``, ``StoreInUseError`` with the names of
        its servers, and ``StoreChangedError`` as a change does.
        """
        with self._transactions.writing() as records:
            store = records.stores.get(name)
            if revision not in (None, store.revision):
                raise StoreChangedError(name)
            if store.is_permanent:
                raise StorePermanentError(name)
            keepers = [s for s in records.servers.all() if s.store.belongs_to == store.id]
            if keepers:
                raise StoreInUseError(name, [f"server {server.name}" for server in keepers])
            records.stores.remove(store.id)
        return store
