"""List the stores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from corral.farm.application.listing import Columns

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.domain.estate.server import Server
    from corral.farm.domain.estate.store import Store, StoreName


@dataclass(frozen=True)
class StoreView:
    """A store and the servers that keep it."""

    store: Store
    servers: tuple[Server, ...]
    """In the order of names; the folder of each is its ``store.path``."""


STORES: Final = Columns[StoreView](
    values={
        "name": lambda view: view.store.name,
        "description": lambda view: view.store.description,
        "path": lambda view: str(view.store.default_path or ""),
        "shared": lambda view: view.store.shared,
        "server": lambda view: tuple(server.name for server in view.servers),
        "servers": lambda view: len(view.servers),
    },
    identity=lambda view: view.store.name,
)


class ListStores:
    """Gives all stores, in the order of names."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self) -> tuple[StoreView, ...]:
        """Give a view of each."""
        with self._transactions.reading() as records:
            return tuple(_view(records, store) for store in records.stores.all())


class ShowStore:
    """Gives one store."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, name: StoreName) -> StoreView:
        """Give its view; raises ``StoreUnknownError``."""
        with self._transactions.reading() as records:
            return _view(records, records.stores.get(name))


def _view(records: Records, store: Store) -> StoreView:
    keepers = [s for s in records.servers.all() if s.store.belongs_to == store.id]
    return StoreView(store, tuple(keepers))
