"""Have the only server that an image may be had from hold all of its versions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from corral.farm.application.shared_folders import sharers
from corral.farm.domain.image.replica import Replica

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from corral.farm.application.ports.records import Records
    from corral.farm.domain.estate.server import Server
    from corral.farm.domain.image.version import Version


def want_on_only_servers(records: Records, versions: Iterable[Version], now: datetime) -> int:
    """Want each version where its image says, whatever the policy of a store; give how many.

    No policy takes such a copy away.
    """
    only = {image.id: image.only_server for image in records.images.all()}
    added = 0
    for version in versions:
        # What the library keeps has no such rule.
        server_id = only.get(version.image_id)
        if server_id is None or not version.is_published:
            continue
        replica = records.replicas.find(server_id, version.root)
        if replica is None:
            replica = replica_to_be(records, records.servers.with_id(server_id), version, now)
            added += 1
        elif replica.is_removing or replica.by_hand:
            continue
        records.replicas.put(replace(replica, by_hand=True))
    return added


def replica_to_be(records: Records, server: Server, version: Version, now: datetime) -> Replica:
    """Give the replica to be: complete at once where another server of its folder has it."""
    for other in sharers(records, server.id):
        there = records.replicas.find(other.id, version.root)
        if there is not None and there.is_complete:
            return replace(there, server_id=server.id, wanted_at=now, fetched_bytes=0)
    return Replica(server.id, version.root, now, total_bytes=version.size_bytes)
