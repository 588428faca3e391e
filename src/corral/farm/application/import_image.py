"""Import a disk and publish it as the next version of an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corral.farm.application.publish_version import Publication, note_complete, publish
from corral.farm.application.spread_versions import spread_versions
from corral.farm.application.writers import refuse_in_maintenance
from corral.farm.domain.estate.errors import NoServerError
from corral.farm.domain.image.errors import ImageNameTakenError
from corral.farm.domain.image.image import Image, ImageId, ImageName
from corral.farm.domain.image.version import Access, Version, newest_published
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
    from corral.farm.domain.library.release import Release


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
    guest_tools: Release | None = None
    """The release of the guest tools in it, if somebody says."""
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
        release: str,
        by: str = "",
    ) -> None:
        self._transactions = transactions
        self._stores = stores
        self._disk_files = disk_files
        self._locks = locks
        self._key = key
        self._ids = ids
        self._clock = clock
        self._release = release
        self._by = by

    def __call__(self, request: ImportRequest, progress: Progress) -> ImportOutcome:
        """Import and publish; ``ImageBusyError`` at once if another import of the image runs."""
        at, now = request.release_at, self._clock.now()
        if at is not None and at <= now:
            raise ReleaseInPastError(request.image, at, now)
        with self._locks.hold(request.image):
            with self._transactions.reading() as records:
                farm = records.farm.get()
                server = chosen_server(records, request.server)
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
                last = records.images.find_last_number(request.image)
                image = Image(ImageId(self._ids.new()), request.image, now, last_number=last)
                records.images.add(image)
            refuse_in_maintenance(records, image)
            what = Publication(
                server=server,
                store=store,
                disk=disk,
                signature=signature,
                by=self._by,
                release=self._release,
                description=request.description,
                to=request.to,
                release_at=request.release_at,
                guest_tools=None if request.guest_tools is None else str(request.guest_tools),
            )
            version = publish(records, image, what, now)
            if request.also is not None:
                request.also(records, version)
            return version

    def _note_replica(self, server: Server, disk: ImportedDisk) -> None:
        """Remember that this server, too, holds what it was given again."""
        with self._transactions.writing() as records:
            now = self._clock.now()
            note_complete(records, server, disk, now)
            spread_versions(records, now, (disk.root,))


def chosen_server(records: Records, name: ServerName | None) -> Server:
    """Give the named server, or the first that was added; raises ``NoServerError``."""
    if name is not None:
        return records.servers.get(name)
    servers = [one for one in records.servers.all() if not one.relay]
    if not servers:
        raise NoServerError
    return min(servers, key=lambda server: (server.added_at, server.name))


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
