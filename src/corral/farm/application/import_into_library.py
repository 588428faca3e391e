"""Import a kit or a disc image into the library."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from corral.farm.application.import_image import chosen_server
from corral.farm.application.publish_version import Publication, publish
from corral.farm.domain.errors import DomainError
from corral.farm.domain.image.image import Content, Image, ImageId, ImageName
from corral.farm.domain.library.errors import (
    ItemTakenError,
    KitUntrustedError,
    LibraryFolderUnsetError,
)
from corral.farm.domain.library.item import (
    Item,
    ItemEvent,
    ItemId,
    ItemKind,
    ItemState,
    item_name,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from corral.farm.application.ports.chunk_stores import ChunkStore, ChunkStores, ImportedDisk
    from corral.farm.application.ports.farm_key import FarmKey
    from corral.farm.application.ports.image_locks import ImageLocks
    from corral.farm.application.ports.library import KitLook, LibraryFiles
    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.sources import Clock, IdSource
    from corral.farm.application.progress import Progress
    from corral.farm.domain.estate.server import Server, ServerName
    from corral.farm.domain.library.kit import KeyId

_CONTENT: Final = {ItemKind.KIT: Content.KIT, ItemKind.MEDIA: Content.MEDIA}


@dataclass(frozen=True)
class LibraryRequest:
    """What to import."""

    path: Path
    """A name stands for a file of the import folder."""
    kind: ItemKind
    name: str = ""
    """Of a disc image; by default the file's. A kit is named by its release."""
    server: ServerName | None = None
    """Whose store the chunks go into; by default the first server's."""
    also: Callable[[Records, Item], None] | None = None
    """Called in the transaction that makes it available; what it raises undoes that."""


class ImportIntoLibrary:
    """Checks a file, cuts it into chunks, and makes it available as a version of its own.

    A kit is believed because of its publisher's signature: of the table before anything else is
    looked at, and of every byte before a chunk is kept. Cut off anywhere, it leaves an item that is
    importing, or has failed, and is not given to anybody.
    """

    def __init__(  # noqa: PLR0913 - ports are few words each; a bundle would only hide them
        self,
        *,
        transactions: Transactions,
        library_files: LibraryFiles,
        stores: ChunkStores,
        locks: ImageLocks,
        key: FarmKey,
        ids: IdSource,
        clock: Clock,
        release: str,
        by: str = "",
    ) -> None:
        self._transactions = transactions
        self._files = library_files
        self._stores = stores
        self._locks = locks
        self._key = key
        self._ids = ids
        self._clock = clock
        self._release = release
        self._by = by

    def __call__(self, request: LibraryRequest, progress: Progress) -> Item:
        """Import it, and give it as it is then.

        Raises what reading it raises (``KitUntrustedError``, ``KitDamagedError``,
        ``FileUnfinishedError``, ``FileOtherKindError`` …), ``ItemTakenError``, ``ImageBusyError``.
        """
        with self._transactions.reading() as records:
            trusted = trusted_keys(records)
            path = in_folder(records, request.path)
        look = None
        if request.kind is ItemKind.KIT:
            look = self._files.look(path, trusted)
            if look.publisher is None:
                raise KitUntrustedError(path, ", ".join(key[:16] for key in look.signed_by))
        name = item_name(look.kit.name if look else request.name or path.name.lower())
        image = _image_of(request.kind, look, name)
        with self._locks.hold(image):
            item = self._begin(request, path, look, name)
            try:
                return self._carry_out(request, item, image, trusted, progress)
            except DomainError as error:
                self._note_failure(item, error)
                raise

    def _begin(self, request: LibraryRequest, path: Path, look: KitLook | None, name: str) -> Item:
        now = self._clock.now()
        with self._transactions.writing() as records:
            chosen_server(records, request.server)
            known = records.library_items.find(item_name(name))
            if known is not None and known.state is ItemState.AVAILABLE:
                raise ItemTakenError(known.name, known.state)
            new = Item(
                id=ItemId(self._ids.new()),
                name=item_name(name),
                kind=request.kind,
                path=path,
                size_bytes=0 if look is None else look.size_bytes,
                begun_at=now,
                by=self._by,
                kit=None if look is None else look.kit,
                publisher=None if look is None else look.publisher,
            )
            if known is None:
                records.library_items.add(new)
                return new
            # Its import failed, or its worker was killed: nobody else has the lock now.
            again = replace(
                new, id=known.id, state=known.after(ItemEvent.BEGIN).state, revision=known.revision
            )
            return records.library_items.change(known, again)

    def _carry_out(
        self,
        request: LibraryRequest,
        item: Item,
        image: ImageName,
        trusted: Mapping[KeyId, bytes],
        progress: Progress,
    ) -> Item:
        with self._transactions.reading() as records:
            farm = records.farm.get()
            server = chosen_server(records, request.server)
        with self._files.checked(item.path, item.kind, trusted, progress) as file:
            if item.kit is not None and (file.kit is None or file.kit.kit != item.kit):
                raise ItemTakenError(item.name, item.state)
            store = self._stores.open(server.store.path, farm.id)
            disk = store.import_disk(file.raw, progress)
        return self._publish(request, item, image, server, store, disk)

    def _publish(  # noqa: PLR0913, PLR0917 - what becomes a version, and where it is
        self,
        request: LibraryRequest,
        item: Item,
        image_name: ImageName,
        server: Server,
        store: ChunkStore,
        disk: ImportedDisk,
    ) -> Item:
        now = self._clock.now()
        what = Publication(
            server=server,
            store=store,
            disk=disk,
            signature=self._key.sign(disk.root.signed_message()),
            by=self._by,
            release=self._release,
            description=item.name,
        )
        with self._transactions.writing() as records:
            image = records.images.find_of_library(image_name)
            if image is None:
                image = Image(
                    ImageId(self._ids.new()), image_name, now, content=_CONTENT[item.kind]
                )
                records.images.add(image)
            version = publish(records, image, what, now)
            done = replace(item, size_bytes=disk.size_bytes).available(
                version.name, version.root, now
            )
            available = records.library_items.change(item, done)
            if request.also is not None:
                request.also(records, available)
            return available

    def _note_failure(self, item: Item, error: DomainError) -> None:
        with self._transactions.writing() as records:
            known = records.library_items.find(item.name)
            if known is not None and known.id == item.id and known.state is ItemState.IMPORTING:
                records.library_items.change(known, known.failed(error.message))


def trusted_keys(records: Records) -> Mapping[KeyId, bytes]:
    """Give the keys whose kits the farm believes."""
    return {one.fingerprint: one.public_key for one in records.publishers.all()}


def in_folder(records: Records, path: Path) -> Path:
    """Give the whole path of a file: a mere name stands for one of the import folder.

    Raises ``LibraryFolderUnsetError``.
    """
    if path.is_absolute():
        return path
    folder = records.library_rules.get().folder
    if folder is None or path.name != str(path):
        raise LibraryFolderUnsetError
    return folder / path


def _image_of(kind: ItemKind, look: KitLook | None, name: str) -> ImageName:
    """Give what the versions are numbered under: all kits of a component, or one disc image."""
    if kind is ItemKind.KIT and look is not None:
        return ImageName(f"kit-{look.kit.manifest.component}")
    return ImageName(f"media-{name}"[:63].rstrip(".-"))
