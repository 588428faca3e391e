"""Collect a store: give back the space of chunks that no version in it needs any more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corral.farm.application.shared_folders import replicas_in_folder

if TYPE_CHECKING:
    from corral.farm.application.ports.chunk_stores import (
        ChunkStores,
        CollectionPlan,
        StoreCollection,
    )
    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.progress import Progress
    from corral.farm.domain.estate.server import Server, ServerName
    from corral.farm.domain.image.root import RootHash
    from corral.farm.domain.image.version import VersionName


@dataclass(frozen=True)
class StrangeVersion:
    """A version in the store that the farm does not want there. It is kept all the same."""

    root: RootHash
    names: tuple[VersionName, ...]
    """The published versions that have this root, if the farm has any."""


@dataclass(frozen=True)
class CollectionReport:
    """What is, or was, to be done, and what was done."""

    server: Server
    plan: CollectionPlan
    strange: tuple[StrangeVersion, ...]
    done: StoreCollection | None
    """None if only the plan was asked for."""


class CollectStore:
    """Plans, and then collects. Every version that is in the store is kept, known or not."""

    def __init__(self, transactions: Transactions, stores: ChunkStores) -> None:
        self._transactions = transactions
        self._stores = stores

    def __call__(
        self, server_name: ServerName, progress: Progress, *, is_dry_run: bool = False
    ) -> CollectionReport:
        """Give what it came to; raises ``StoreNeedsHealingError``, and then nothing is freed."""
        with self._transactions.reading() as records:
            farm = records.farm.get()
            server = records.servers.get(server_name)
            named = _wanted(records, server)
        store = self._stores.open(server.store.path, farm.id)
        plan = store.plan_collection(named)
        done = None if is_dry_run else store.collect(plan, progress)
        plan = plan if done is None else done.plan
        with self._transactions.reading() as records:
            # Published meanwhile is not strange.
            strange = plan.unnamed_roots - _wanted(records, server)
            told = tuple(_strange(records, root) for root in sorted(strange))
        return CollectionReport(server, plan, told, done)


def _wanted(records: Records, server: Server) -> frozenset[RootHash]:
    return frozenset(replica.root for replica in replicas_in_folder(records, server))


def _strange(records: Records, root: RootHash) -> StrangeVersion:
    versions = records.versions.with_root(root)
    return StrangeVersion(root, tuple(one.name for one in versions if one.is_published))
