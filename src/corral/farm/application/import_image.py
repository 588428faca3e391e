"""Import a disk and publish it as the next version of an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corral.farm.application.complete_deletions import complete_deletions
from corral.farm.application.note_releases import note_releases
from corral.farm.application.shared_folders import note_for_sharers
from corral.farm.application.spread_versions import spread_versions
from corral.farm.application.writers import refuse_in_maintenance
from corral.farm.domain.estate.errors import NoServerError
from corral.farm.domain.image.change import PUBLISH, VersionChange
from corral.farm.domain.image.errors import (
    ImageNameTakenError,
    RootBeingRemovedError,
    VersionChangedError,
)
from corral.farm.domain.image.image import Image, ImageId, ImageName
from corral.farm.domain.image.replica import Replica, ReplicaState
from corral.farm.domain.image.version import (
    Access,
    Version,
    VersionName,
    VersionNumber,
    newest_published,
)
from corral.farm.domain.image.version_errors import ReleaseInPastError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from corral.farm.application.ports.chunk_stores import (
        ChunkStore,
        ChunkStores,
        Difference,
        ImportedDisk,
    )
    from corral.farm.application.ports.disk_files import DiskFiles, DiskFormat
    from corral.farm.application.ports.farm_key import FarmKey
    from corral.farm.application.ports.image_locks import ImageLocks
    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.sources import Clock, IdSource
    from corral.farm.application.progress import Progress
    from corral.farm.domain.estate.server import Server, ServerName


@dataclass(frozen=True)
class ImportRequest:
    """What to import, and into what."""

    image: ImageName
    path: Path
    format: DiskFormat | None = None
    """The file's format where it must not be guessed."""
    server: ServerName | None = None
    """Whose store the chunks go into; by default the first server's."""
    description: str = ""
    must_be_new: bool = False
    """Refuse an image that exists."""
    even_if_unchanged: bool = False
    """Publish although the newest version has the same content."""
    to: Access = Access.PRODUCTION
    """Who may start it."""
    release_at: datetime | None = None
    """Not before, for production; none as soon as every server that must serve it has it."""
    also: Callable[[Records, Version], None] | None = None
    """Called in the transaction that publishes; what it raises undoes that."""


@dataclass(frozen=True)
class ImportOutcome:
    """What the import came to."""

    version: Version
    """The new version, or the newest one if nothing had changed."""
    server: Server
    disk: ImportedDisk
    changed: Difference | None
    """Against the version before; none for the first."""
    is_published: bool
    """False if the disk is the same as the newest version, and nothing was published."""


class ImportImage:
    """Puts a disk into a store, signs its root and publishes the version.

    Nothing of the farm changes before the last step, one transaction; a killed import therefore
    leaves no version, and its lock ends with its process.
    """

    def __init__(  # noqa: PLR0913 - ports are few words each; a bundle would only hide them
        self,
        *,
        transactions: Transactions,
        stores: ChunkStores,
        disk_files: DiskFiles,
        locks: ImageLocks,
        key: FarmKey,
        ids: IdSource,
        clock: Clock,
        by: str = "",
    ) -> None:
        self._transactions = transactions
        self._stores = stores
        self._disk_files = disk_files
        self._locks = locks
        self._key = key
        self._ids = ids
        self._clock = clock
        self._by = by

    def __call__(self, request: ImportRequest, progress: Progress) -> ImportOutcome:
        """Import and publish; ``ImageBusyError`` at once if another import of the image runs."""
        at, now = request.release_at, self._clock.now()
        if at is not None and at <= now:
            raise ReleaseInPastError(request.image, at, now)
        with self._locks.hold(request.image):
            with self._transactions.reading() as records:
                farm = records.farm.get()
                server = _chosen_server(records, request.server)
                _refuse_if_not_new(records, request)
                before = _newest(records, request.image)
            facts = self._disk_files.inspect(request.path, request.format)
            store = self._stores.open(server.store.path, farm.id)
            with self._disk_files.opened(facts) as readable:
                disk = store.import_disk(readable, progress)
            changed = None
            if before is not None and store.holds(before.root):
                changed = store.difference(before.root, disk.root)
            if before is not None and before.root == disk.root and not request.even_if_unchanged:
                self._note_replica(server, disk)
                return ImportOutcome(before, server, disk, changed, is_published=False)
            version = self._publish(request, server, store, disk)
            return ImportOutcome(version, server, disk, changed, is_published=True)

    def _publish(
        self, request: ImportRequest, server: Server, store: ChunkStore, disk: ImportedDisk
    ) -> Version:
        now = self._clock.now()
        signature = self._key.sign(disk.root.signed_message())
        with self._transactions.writing() as records:
            image = records.images.find(request.image)
            if image is None:
                image = Image(ImageId(self._ids.new()), request.image, now)
                records.images.add(image)
            refuse_in_maintenance(records, image)
            name = VersionName(image.name, VersionNumber(image.last_number + 1))
            # A delete of the last other version with this root may have taken it out of the store
            # since the import ended; deletes do that under the writer's lock, as we hold it now.
            if not store.holds(disk.root):
                raise VersionChangedError(str(name))
            _keep_what_was_to_go(records, server, disk, now)
            version = Version(
                image_id=image.id,
                name=name,
                root=disk.root,
                size_bytes=disk.size_bytes,
                signature=signature,
                published_at=now,
                description=request.description,
                access=request.to,
                release_at=request.release_at,
            )
            records.versions.publish(version)
            complete_deletions(records, disk.root)
            _note_complete(records, server, disk, now)
            spread_versions(records, now, (disk.root,))
            records.version_changes.note(
                VersionChange(image.id, version.number, now, self._by, PUBLISH)
            )
            note_releases(records, (version,), now)
            if request.also is not None:
                request.also(records, version)
            return records.versions.get(version.name)

    def _note_replica(self, server: Server, disk: ImportedDisk) -> None:
        """Remember that this server, too, holds what it was given again."""
        with self._transactions.writing() as records:
            now = self._clock.now()
            _note_complete(records, server, disk, now)
            spread_versions(records, now, (disk.root,))


def _chosen_server(records: Records, name: ServerName | None) -> Server:
    if name is not None:
        return records.servers.get(name)
    servers = records.servers.all()
    if not servers:
        raise NoServerError
    return min(servers, key=lambda server: (server.added_at, server.name))


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


def _note_complete(records: Records, server: Server, disk: ImportedDisk, now: datetime) -> None:
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
        )
        records.replicas.put(complete)
        note_for_sharers(records, complete)
    records.farm.raise_generation()


def _refuse_if_not_new(records: Records, request: ImportRequest) -> None:
    image = records.images.find(request.image)
    if image is None:
        return
    if request.must_be_new:
        raise ImageNameTakenError(request.image)
    refuse_in_maintenance(records, image)


def _newest(records: Records, name: ImageName) -> Version | None:
    image = records.images.find(name)
    return None if image is None else newest_published(records.versions.of_image(image.id))
