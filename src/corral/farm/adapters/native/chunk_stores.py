"""The port ``ChunkStores`` on ``corral_native``."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, assert_never
from uuid import UUID

import corral_native as native

from corral.farm.adapters.native.errors import translated
from corral.farm.application.ports.chunk_stores import (
    CollectionPlan,
    Difference,
    ImportedDisk,
    Peers,
    SealedDisk,
    StoreCollection,
    StoreHealing,
    StoreScrub,
    StoreVerification,
)
from corral.farm.application.ports.disk_files import NbdSocket, RawFile
from corral.farm.application.progress import Amounts
from corral.farm.domain.estate.store import FolderId
from corral.farm.domain.image.errors import StoreNeedsHealingError, StoreNewerError
from corral.farm.domain.image.overlay_errors import OverlayHeldError, OverlayUnknownError
from corral.farm.domain.image.root import RootHash

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from corral.farm.application.ports.chunk_stores import ScrubOrder
    from corral.farm.application.ports.disk_files import ReadableDisk
    from corral.farm.application.ports.scratch import Scratch
    from corral.farm.application.ports.sources import Clock
    from corral.farm.application.progress import Progress
    from corral.farm.domain.estate.farm import FarmId
    from corral.farm.domain.image.overlay import OverlayId

_EXPORT: Final = "version"
_UNUSED_KEY: Final = bytes(32)  # a listener that is open to its socket's owner checks no ticket


class NativeChunkStores:
    """Stores in folders of this machine."""

    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch

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
            return NativeChunkStore(native.Store.open(path, str(farm)), path, farm, self._scratch)

    def open_to_read(self, path: Path, farm: FarmId) -> NativeChunkStore:
        """Open a store without writing anything."""
        with translated(path):
            store = native.Store.open_to_read(path, str(farm))
            return NativeChunkStore(store, path, farm, self._scratch)


class NativeChunkStore:
    """One open store."""

    def __init__(self, store: native.Store, path: Path, farm: FarmId, scratch: Scratch) -> None:
        self._store = store
        self._path = path
        self._farm = farm
        self._scratch = scratch

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

    def seal(self, overlay: OverlayId, base: RootHash, progress: Progress) -> SealedDisk:
        """Hash what was written; the written disk is let go at the end."""
        with translated(self._path, work="the sealing"):
            try:
                below = self._store.serve(base.hex, native.Peers())
                disk = native.Overlay.open(self._store, str(overlay), below)
            except native.UnknownOverlayError as error:
                raise OverlayUnknownError(str(overlay)) from error
            except native.OverlayInUseError as error:
                raise OverlayHeldError(str(overlay)) from error
            if disk.sealed_root is not None:
                return SealedDisk(RootHash(disk.sealed_root), disk.size_bytes)
            sealed = self._store.seal(disk, _watched(progress))
        return SealedDisk(RootHash(sealed.root), sealed.size_bytes)

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
            done = self._store.heal(self._native(peers), _watched(progress))
        healed = done.healed_chunks + done.healed_flat_chunks + len(done.healed_roots)
        left = 0 if done.is_sound else max(done.unhealed_chunks, 1)
        return StoreHealing(healed + left, healed, done.fetched_bytes)

    def plan_collection(self, named: frozenset[RootHash]) -> CollectionPlan:
        """Walk all versions, and weigh the packs."""
        with translated(self._path), self._needing_what_is_damaged():
            return _plan(self._store.plan_collection([root.hex for root in named]), named)

    def collect(self, plan: CollectionPlan, progress: Progress) -> StoreCollection:
        """Remove packs that nobody needs, and write others again without what is dead."""
        named = plan.named_roots
        watched = _watched(progress)
        work = "the collection"
        with translated(self._path, work=work), self._needing_what_is_damaged():
            planned = self._store.plan_collection([root.hex for root in named])
            done = self._store.collect(planned, watched)
        return StoreCollection(
            plan=_plan(done.plan, named),
            freed_bytes=done.freed_bytes,
            copied_bytes=done.copied_bytes,
            spared_packs=len(done.spared_packs),
        )

    @contextmanager
    def _needing_what_is_damaged(self) -> Iterator[None]:
        try:
            yield
        except native.DamagedError as error:
            root = error.fields.get("root")
            reason = f"version {root} is damaged" if root else str(error)
            raise StoreNeedsHealingError(self._path, reason) from error

    def fetch(self, root: RootHash, peers: Peers, progress: Progress) -> None:
        """Fetch what is missing."""
        with translated(self._path, work=f"the copying of {root.short}"):
            self._store.replicate(root.hex, self._native(peers), _watched(progress))

    def scrub(self, order: ScrubOrder, progress: Progress) -> StoreScrub:
        """Make a pass, ahead of who scrubs in the background."""
        watched, peers = _watched(progress), self._native(order.peers)
        watched.set_rate(order.rate)
        with translated(self._path, work="the scrub"):
            scrub = native.Scrub.at_once(self._store)
            try:
                return self._pass(scrub, order, watched, peers)
            finally:
                scrub.pause(_seconds(order.clock))

    def _pass(
        self, scrub: native.Scrub, order: ScrubOrder, watched: native.Progress, peers: native.Peers
    ) -> StoreScrub:
        since = int(order.since.timestamp())
        known = scrub.state()
        is_ours = known.under_way is not None and known.under_way.started_at >= since
        is_made = known.last is not None and known.last.started_at >= since
        if not is_ours and not is_made and not scrub.begin(watched, _seconds(order.clock)):
            raise StoreNewerError(self._path)
        while scrub.step(peers, watched, _seconds(order.clock)) == "working":
            pass
        state = scrub.state()
        last = state.last
        return StoreScrub(
            checked_bytes=0 if last is None else last.checked_bytes,
            damaged_chunks=0 if last is None else last.damaged_chunks,
            healed_chunks=0 if last is None else last.healed_chunks,
            unhealed_chunks=state.unhealed_chunks,
            affected_roots=frozenset(map(RootHash, state.affected_roots)),
        )

    @contextmanager
    def served(self, root: RootHash, peers: Peers) -> Iterator[ReadableDisk]:
        """Serve a version on a unix socket in a folder that nobody else may enter."""
        with translated(self._path):
            version = self._store.serve(root.hex, self._native(peers))
            # Everything is checked before the first byte is lent: what reads a disk over NBD could
            # only say "input/output error" where we can say which chunk is damaged.
            version.materialise(native.Progress())
        with self._scratch.folder("version") as folder:
            socket = folder / "nbd"
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

    def _native(self, peers: Peers) -> native.Peers:
        urls = [peer.url for peer in peers.servers]
        stores = [store for folder in peers.folders if (store := self._at_hand(folder)) is not None]
        return native.Peers(urls, peers.ticket, peers.authority, stores)

    def _at_hand(self, folder: Path) -> native.Store | None:
        if folder == self._path:
            return None
        try:
            return native.Store.open_to_read(folder, str(self._farm))
        except native.NativeError:
            return None


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
            awaited=seen.awaited_writers,
        )

    def cancel(self) -> None:
        self._progress.cancel()


def _plan(plan: native.CollectionPlan, named: frozenset[RootHash]) -> CollectionPlan:
    return CollectionPlan(
        named_roots=named,
        kept_roots=frozenset(map(RootHash, plan.kept_roots)),
        incomplete_roots=frozenset(map(RootHash, plan.incomplete_roots)),
        live_bytes=plan.live_bytes,
        dead_bytes=plan.dead_bytes,
        freed_bytes=plan.freed_bytes + plan.flat_bytes,
        copied_bytes=plan.copied_bytes,
        abandoned_bytes=plan.abandoned_bytes,
        unusable_packs=len(plan.unusable_packs),
    )


def _seconds(clock: Clock) -> int:
    return int(clock.now().timestamp())


def _watched(progress: Progress) -> native.Progress:
    watched = native.Progress()
    progress.watch(_NativeMeter(watched))
    return watched
