"""Heal a store: replace damaged chunks with sound ones from the other servers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corral.farm.application.chunk_peers import peers_of
from corral.farm.application.shared_folders import replicas_in_folder
from corral.farm.domain.image.replica import ReplicaState

if TYPE_CHECKING:
    from corral.farm.application.ports.certificates import CertificateAuthority
    from corral.farm.application.ports.chunk_stores import ChunkStores, StoreHealing
    from corral.farm.application.ports.farm_key import FarmKey
    from corral.farm.application.ports.records import Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.application.progress import Progress
    from corral.farm.domain.estate.server import Server, ServerName


@dataclass(frozen=True)
class HealingReport:
    """What it came to."""

    server: Server
    healing: StoreHealing


class HealStore:
    """Replaces what is damaged; once nothing is left, the replicas count as complete again."""

    def __init__(
        self,
        transactions: Transactions,
        stores: ChunkStores,
        key: FarmKey,
        authority: CertificateAuthority,
        clock: Clock,
    ) -> None:
        self._transactions = transactions
        self._stores = stores
        self._key = key
        self._authority = authority
        self._clock = clock

    def __call__(self, server_name: ServerName, progress: Progress) -> HealingReport:
        """Give what it came to."""
        with self._transactions.reading() as records:
            farm = records.farm.get()
            server = records.servers.get(server_name)
            peers = peers_of(server, records, self._key, self._authority, self._clock.now())
        healing = self._stores.open(server.store.path, farm.id).heal(peers, progress)
        if healing.is_sound:
            with self._transactions.writing() as records:
                for replica in replicas_in_folder(records, server):
                    if replica.state is ReplicaState.DAMAGED:
                        records.replicas.put(replica.found_sound(self._clock.now()))
                        records.farm.raise_generation()
        return HealingReport(server, healing)
