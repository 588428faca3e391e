"""Change a store."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING

from corral.farm.application.edits import KEEP, Edit, edited
from corral.farm.domain.estate.store import StoreChangedError, StoreSharedByError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from corral.farm.application.ports.records import Transactions
    from corral.farm.domain.estate.server import Server
    from corral.farm.domain.estate.store import Store, StoreName


@dataclass(frozen=True)
class StoreEdit:
    """What is to be different. A new default path is for servers to come; no chunk is moved."""

    name: Edit[StoreName] = KEEP
    description: Edit[str] = KEEP
    default_path: Edit[Path | None] = KEEP
    shared: Edit[bool] = KEEP


class ChangeStore:
    """Renames it, describes it, says where new servers keep it and whether they may share."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, name: StoreName, edit: StoreEdit, revision: int | None = None) -> Store:
        """Give the store as it is now.

        Raises ``StoreUnknownError``, ``StoreNameTakenError``, ``StoreSharedByError``, and
        ``StoreChangedError`` if ``revision`` is given and is not that of the store any more.
        """
        with self._transactions.writing() as records:
            seen = records.stores.get(name)
            if revision not in (None, seen.revision):
                raise StoreChangedError(name)
            after = replace(
                seen,
                name=edited(edit.name, seen.name),
                description=edited(edit.description, seen.description),
                default_path=edited(edit.default_path, seen.default_path),
                shared=edited(edit.shared, seen.shared),
            )
            if after == seen:
                return seen
            _refuse_sharing(after, records.servers.all())
            return records.stores.change(seen, after)


def _refuse_sharing(store: Store, servers: Iterable[Server]) -> None:
    keepers = [server for server in servers if server.store.belongs_to == store.id]
    for one, other in combinations(keepers, 2):
        if one.store.clashes_with(other.store, shared=store.shared):
            raise StoreSharedByError(store.name, one.name, other.name)
