"""Add a store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corral.farm.domain.estate.store import Store, StoreId, StoreName

if TYPE_CHECKING:
    from pathlib import Path

    from corral.farm.application.ports.records import Transactions
    from corral.farm.application.ports.sources import IdSource


@dataclass(frozen=True)
class NewStore:
    """What is asked for."""

    name: StoreName
    description: str = ""
    default_path: Path | None = None
    """Absolute."""
    shared: bool = False


class AddStore:
    """Says that servers to come keep chunks together; the first of them makes a folder."""

    def __init__(self, transactions: Transactions, ids: IdSource) -> None:
        self._transactions = transactions
        self._ids = ids

    def __call__(self, wanted: NewStore) -> Store:
        """Give the new store; raises ``StoreNameTakenError``."""
        store = Store(
            id=StoreId(self._ids.new()),
            name=wanted.name,
            description=wanted.description,
            default_path=wanted.default_path,
            shared=wanted.shared,
        )
        with self._transactions.writing() as records:
            records.stores.add(store)
        return store
