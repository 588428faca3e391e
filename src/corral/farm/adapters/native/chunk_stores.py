"""The port ``ChunkStores`` on ``corral_native``."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, assert_never
from uuid import UUID

import corral_native as native

from corral.farm.adapters.native.errors import translated
from corral.farm.application.ports.chunk_stores import (
    Difference,
    ImportedDisk,
    Peers,
    StoreHealing,
    StoreVerification,
)
from corral.farm.application.ports.disk_files import NbdSocket, RawFile
from corral.farm.application.progress import Amounts
from corral.farm.domain.estate.store import FolderId
from corral.farm.domain.image.root import RootHash

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corral.farm.application.ports.disk_files import ReadableDisk
    from corral.farm.application.progress import Progress
    from corral.farm.domain.estate.farm import FarmId

_EXPORT: Final = "version"
_UNUSED_KEY: Final = bytes(32)  # a listener that is open to its socket's owner checks no ticket


class NativeChunkStores:
    """Stores in folders of this machine."""

    def create(self, path: Path, farm: FarmId) -> FolderId:
        """Make a store, or take over one of the same farm."""
        with translated(path):
            try:
                store = native.Store.create(path, str(farm))
            except native.StoreExistsError:
                store = native.Store.open(path, str(farm))
            except native.FolderNotEmptyError as strange:
                # It may be a store that cannot be opened: why not is worth more to know.
                try:
                    store = native.Store.open(path, str(farm))
                except native.NotAStoreError:
                    raise strange from None
            return FolderId(UUID(store.id))

    def open(self, path: Path, farm: FarmId) -> NativeChunkStore:
        """Open a store."""
        with translated(path):
            return NativeChunkStore(native.Store.open(path, str(farm)), path)


class NativeChunkStore:
    """One open store."""

    def __init__(self, store: native.Store, path: Path) -> None:
        self._store = store
        self._path = path

    def import_disk(self, disk: ReadableDisk, progress: Progress) -> ImportedDisk:
        """Cut a disk into chunks and keep what is new."""
        match disk:
            case RawFile(path):
                with translated(self._path, disk=path, work=f"the import of {path}"):
                    imported = self._store.import_raw(path, _watched(progress))
            case NbdSocket(socket, export, _, origin):
                path = origin or socket
                with translated(self._path, disk=path, work=f"the import of {path}"):
                    imported = self._store.import_nbd(socket, export, _watched(progress))
            case _:
                assert_never(disk)
        return ImportedDisk(
            root=RootHash(imported.root),
            size_bytes=imported.size_bytes,
            chunks=imported.chunks,
            zero_chunks=imported.zero_chunks,
            new_chunks=imported.new_chunks,
            stored_bytes=imported.stored_bytes,
        )

    def holds(self, root: RootHash) -> bool:
        """Whether the store has the version, by its own books."""
        with translated(self._path):
            return self._store.holds(root.hex)

    def difference(self, old: RootHash, new: RootHash) -> Difference:
        """Walk the pages that differ."""
        with translated(self._path):
            found = self._store.difference(old.hex, new.hex)
        return Difference(found.changed_chunks, found.changed_bytes)

    def verify(self, progress: Progress) -> StoreVerification:
        """Read packs and flat files, and compare each chunk with its name."""
        with translated(self._path, work="the verification"):
            found = self._store.verify(_watched(progress))
        return StoreVerification(
            checked_chunks=found.checked_chunks,
            checked_bytes=found.checked_bytes,
            damaged_chunks=max(found.damaged_chunks, found.unavailable_chunks),
            affected_roots=frozenset(map(RootHash, found.affected_roots)),
        )

    def heal(self, peers: Peers, progress: Progress) -> StoreHealing:
        """Replace what is damaged, from other copies here or from peers."""
        with translated(self._path, work="the healing"):
            done = self._store.heal(_native(peers), _watched(progress))
        healed = done.healed_chunks + done.healed_flat_chunks + len(done.healed_roots)
        left = 0 if done.is_sound else max(done.unhealed_chunks, 1)
        return StoreHealing(healed + left, healed, done.fetched_bytes)

    @contextmanager
    def served(self, root: RootHash, peers: Peers) -> Iterator[ReadableDisk]:
        """Serve a version on a unix socket in a folder that nobody else may enter."""
        with translated(self._path):
            version = self._store.serve(root.hex, _native(peers))
            # Everything is checked before the first byte is lent: what reads a disk over NBD could
            # only say "input/output error" where we can say which chunk is damaged.
            version.materialise(native.Progress())
        with TemporaryDirectory(prefix="corral-version-") as folder:
            socket = Path(folder) / "nbd"
            with translated(self._path):
                server = native.StreamServer([(f"unix:{socket}", "open")], None, _UNUSED_KEY)
            try:
                server.apply([(_EXPORT, version)])
                yield NbdSocket(socket, _EXPORT, version.size_bytes)
            finally:
                server.stop()

    def remove_version(self, root: RootHash) -> None:
        """Forget a version; its chunks stay until a collector takes those that nobody needs."""
        with translated(self._path):
            self._store.remove_version(root.hex)

    def free_bytes(self) -> int:
        """Give the space left in the file system under the store."""
        with translated(self._path):
            return self._store.free_bytes()


class _NativeMeter:
    """Shows a native progress in the port's words."""

    def __init__(self, progress: native.Progress) -> None:
        self._progress = progress

    def amounts(self) -> Amounts:
        seen = self._progress
        return Amounts(
            total_bytes=seen.total_bytes or None,
            done_bytes=seen.done_bytes,
            new_chunks=seen.new_chunks,
            new_bytes=seen.stored_bytes,
        )

    def cancel(self) -> None:
        self._progress.cancel()


def _watched(progress: Progress) -> native.Progress:
    watched = native.Progress()
    progress.watch(_NativeMeter(watched))
    return watched


def _native(peers: Peers) -> native.Peers:
    return native.Peers([peer.url for peer in peers.servers], peers.ticket)
