"""Publish what was put into a store: the same for a disk, a kit and a disc image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corral.farm.application.complete_deletions import complete_deletions
from corral.farm.application.note_releases import note_releases
from corral.farm.application.shared_folders import note_for_sharers
from corral.farm.application.spread_versions import spread_versions
from corral.farm.domain.image.change import PUBLISH, VersionChange
from corral.farm.domain.image.errors import RootBeingRemovedError, VersionChangedError
from corral.farm.domain.image.replica import Replica, ReplicaState
from corral.farm.domain.image.version import Access, Version, VersionName, VersionNumber

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.application.ports.chunk_stores import ChunkStore, ImportedDisk
    from corral.farm.application.ports.records import Records
    from corral.farm.domain.estate.server import Server
    from corral.farm.domain.image.image import Image


@dataclass(frozen=True)
class Publication:
    """What is published, where its chunks are, and by whom."""

    server: Server
    store: ChunkStore
    disk: ImportedDisk
    signature: bytes
    """Of the root, by the farm."""
    by: str
    release: str
    """Of the farm's software."""
    description: str = ""
    to: Access = Access.PRODUCTION
    release_at: datetime | None = None
    guest_tools: str | None = None


def publish(records: Records, image: Image, what: Publication, now: datetime) -> Version:
    """Make it the next version of an image that is there.

    Raises ``VersionChangedError`` if the store lost it meanwhile, ``RootBeingRemovedError``.
    """
    disk = what.disk
    name = VersionName(image.name, VersionNumber(image.last_number + 1))
    # A delete of the last other version with this root may have taken it out of the store
    # since the import ended; deletes do that under the writer's lock, as we hold it now.
    if not what.store.holds(disk.root):
        raise VersionChangedError(str(name))
    _keep_what_was_to_go(records, what.server, disk, now)
    version = Version(
        image_id=image.id,
        name=name,
        root=disk.root,
        size_bytes=disk.size_bytes,
        signature=what.signature,
        published_at=now,
        description=what.description,
        access=what.to,
        release_at=what.release_at,
        published_with=what.release,
        guest_tools=what.guest_tools,
    )
    records.versions.publish(version)
    complete_deletions(records, disk.root)
    note_complete(records, what.server, disk, now)
    spread_versions(records, now, (disk.root,))
    records.version_changes.note(VersionChange(image.id, version.number, now, what.by, PUBLISH))
    note_releases(records, (version,), now)
    return records.versions.get(name)


def note_complete(records: Records, server: Server, disk: ImportedDisk, now: datetime) -> None:
    """Remember that the server holds it. Damage found before stands: an import reads no store."""
    known = records.replicas.find(server.id, disk.root)
    if known is None or not known.doubt:
        complete = Replica(
            server_id=server.id,
            root=disk.root,
            wanted_at=now,
            state=ReplicaState.COMPLETE,
            done_bytes=disk.size_bytes,
            total_bytes=disk.size_bytes,
            reported_at=now,
            completed_at=now,
            by_hand=known is not None and known.by_hand,
        )
        records.replicas.put(complete)
        note_for_sharers(records, complete)
    records.farm.raise_generation()


def _keep_what_was_to_go(
    records: Records, server: Server, disk: ImportedDisk, now: datetime
) -> None:
    """Want the root again on servers that were told to forget it.

    One of them may have done so already, or be about to: it then fetches the root again from
    ``server``, which surely has it only if nobody was told to take it out of its folder.
    """
    for replica in records.replicas.of_root(disk.root):
        if not replica.is_removing:
            continue
        other = records.servers.with_id(replica.server_id)
        if other.store.id == server.store.id:
            raise RootBeingRemovedError(disk.root, other.name)
        records.replicas.put(
            Replica(replica.server_id, disk.root, now, total_bytes=disk.size_bytes)
        )
