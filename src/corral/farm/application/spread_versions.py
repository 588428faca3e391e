"""Have versions flow to the servers that their stores' policies say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.application.note_releases import note_releases
from corral.farm.application.only_servers import want_on_only_servers
from corral.farm.application.shared_folders import note_for_sharers
from corral.farm.domain.estate.replication import Member, wanted_holders
from corral.farm.domain.image.replica import Replica

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from corral.farm.application.ports.records import Records
    from corral.farm.domain.estate.server import Server, ServerId
    from corral.farm.domain.image.root import RootHash


def spread_versions(
    records: Records, now: datetime, roots: Iterable[RootHash] | None = None
) -> int:
    """Want every published version, or those of ``roots``, wherever its stores ask for it.

    A store asks for it once one of its servers holds it, or shall; so does an image that may be had
    from one server only. Nothing is taken away here: what is too many goes when the others have
    said that they hold it (``let_go``). What is due among all versions is released first, and waits
    for no copy that is wanted only now. Gives how many copies were added.
    """
    if roots is None:
        note_releases(records, records.versions.all(), now)
    versions = [version for version in records.versions.all() if version.is_published]
    if roots is not None:
        wanted = frozenset(roots)
        versions = [version for version in versions if version.root in wanted]
    sizes = {version.root: version.size_bytes for version in versions}
    servers = records.servers.all()
    added = want_on_only_servers(records, versions, now)
    for store in records.stores.all():
        keepers = [
            server for server in servers if server.store.belongs_to == store.id and not server.relay
        ]
        for root, size_bytes in sizes.items():
            replicas = records.replicas.of_root(root)
            for server_id in missing_copies(keepers, replicas, root, store.copies):
                records.replicas.put(Replica(server_id, root, now, total_bytes=size_bytes))
                added += 1
            ids = {keeper.id for keeper in keepers}
            for replica in replicas:
                if replica.is_complete and replica.server_id in ids:
                    note_for_sharers(records, replica)
    if added:
        records.farm.raise_generation()
    return added


def missing_copies(
    keepers: Sequence[Server], replicas: Sequence[Replica], root: RootHash, copies: int | None
) -> frozenset[ServerId]:
    """Give the servers of a store, ``keepers``, that should hold a root and were not told so.

    A folder that the root is being removed from is out of the question until that is done.
    """
    here = {keeper.id: keeper.store.id for keeper in keepers}
    leaving = {here[r.server_id] for r in replicas if r.is_removing and r.server_id in here}
    holders = {r.server_id for r in replicas if r.server_id in here and not r.is_removing}
    if not holders:
        return frozenset()
    members = [
        Member(keeper.id, keeper.store.id, takes_copies=not keeper.maintenance)
        for keeper in keepers
        if keeper.store.id not in leaving
    ]
    return wanted_holders(members, holders, root, copies) - holders
