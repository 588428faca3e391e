"""Have further servers hold a version."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from corral.farm.application.choose_version import version_to_copy
from corral.farm.application.note_releases import note_releases
from corral.farm.application.only_servers import replica_to_be
from corral.farm.domain.image.errors import CopyLeavesError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corral.farm.application.ports.records import Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.estate.server import ServerName
    from corral.farm.domain.image.replica import Replica
    from corral.farm.domain.image.version import VersionName


class ReplicateVersion:
    """Says that servers should hold a version; each fetches by itself what it lacks, and reports.

    ``ShowVersion`` tells how far they are.
    """

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    def __call__(self, name: VersionName, to: Sequence[ServerName]) -> tuple[Replica, ...]:
        """Give the replicas of those servers; ones that were wanted already stay as they are.

        None of them is taken away by a store's policy from now on. Raises ``CopyLeavesError`` for a
        server that was told to let the version go.
        """
        now = self._clock.now()
        with self._transactions.writing() as records:
            version = version_to_copy(records, name)
            # What was due until now is released, and waits for no new copy.
            note_releases(records, records.versions.with_root(version.root), now)
            wanted = []
            for server in [records.servers.get(one) for one in to]:
                replica = records.replicas.find(server.id, version.root)
                if replica is None:
                    replica = replica_to_be(records, server, version, now)
                    records.farm.raise_generation()
                elif replica.is_removing:
                    raise CopyLeavesError(str(name), server.name)
                replica = replace(replica, by_hand=True)
                records.replicas.put(replica)
                wanted.append(replica)
        return tuple(wanted)
