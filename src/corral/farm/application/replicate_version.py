"""Have further servers hold a version."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from corral.farm.application.choose_version import published_version
from corral.farm.application.shared_folders import sharers
from corral.farm.domain.image.replica import Replica

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.estate.server import Server, ServerName
    from corral.farm.domain.image.version import Version, VersionName


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
                    replica = _wanted(records, server, version, now)
                    records.replicas.put(replica)
                    records.farm.raise_generation()
                wanted.append(replica)
        return tuple(wanted)


def _wanted(records: Records, server: Server, version: Version, now: datetime) -> Replica:
    """Give the replica to be: complete at once where another server of its folder has it."""
    for other in sharers(records, server.id):
        there = records.replicas.find(other.id, version.root)
        if there is not None and there.is_complete:
            return replace(there, server_id=server.id, wanted_at=now, fetched_bytes=0)
    return Replica(server.id, version.root, now, total_bytes=version.size_bytes)
