"""Have versions flow to the servers that their stores' policies say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.application.shared_folders import note_for_sharers
from corral.farm.domain.estate.replication import Member, wanted_holders
from corral.farm.domain.image.replica import Replica

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from corral.farm.application.ports.records import Records
    from corral.farm.domain.image.root import RootHash


def spread_versions(
    records: Records, now: datetime, roots: Iterable[RootHash] | None = None
) -> int:
    """Want every published version, or those of ``roots``, wherever its stores ask for it.

    A store asks for it once one of its servers holds it, or shall. Nothing is taken away: a copy
    that is too many harms nobody, and may be the only sound one. Gives how many copies were added.
    """
    sizes = {
        version.root: version.size_bytes
        for version in records.versions.all()
        if version.is_published
    }
    if roots is not None:
        sizes = {root: sizes[root] for root in roots if root in sizes}
    servers = records.servers.all()
    added = 0
    for store in records.stores.all():
        members = [
            Member(server.id, server.store.id, takes_copies=not server.maintenance)
            for server in servers
            if server.store.belongs_to == store.id
        ]
        ids = {member.server for member in members}
        for root, size_bytes in sizes.items():
            present = [r for r in records.replicas.of_root(root) if not r.is_removing]
            holders = {r.server_id for r in present} & ids
            if not holders:
                continue
            for server_id in wanted_holders(members, holders, root, store.copies) - holders:
                if records.replicas.find(server_id, root) is None:
                    records.replicas.put(Replica(server_id, root, now, total_bytes=size_bytes))
                    added += 1
            for replica in present:
                if replica.is_complete:
                    note_for_sharers(records, replica)
    if added:
        records.farm.raise_generation()
    return added
