"""Have further servers hold a version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.application.choose_version import published_version
from corral.farm.domain.image.replica import Replica

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corral.farm.application.ports.records import Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.estate.server import ServerName
    from corral.farm.domain.image.version import VersionName


class ReplicateVersion:
    """Says that servers should hold a version; each fetches by itself what it lacks, and reports.

    ``ShowVersion`` tells how far they are.
    """

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    def __call__(self, name: VersionName, to: Sequence[ServerName]) -> tuple[Replica, ...]:
        """Give the replicas of those servers; ones that were wanted already stay as they are."""
        now = self._clock.now()
        with self._transactions.writing() as records:
            version = published_version(records, name)
            wanted = []
            for server in [records.servers.get(one) for one in to]:
                replica = records.replicas.find(server.id, version.root)
                if replica is None:
                    replica = Replica(server.id, version.root, now, total_bytes=version.size_bytes)
                    records.replicas.put(replica)
                    records.farm.raise_generation()
                wanted.append(replica)
        return tuple(wanted)
