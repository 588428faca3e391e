"""Chunk stores in memory: whole chunks by name, no packs, no compression."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import UUID

from corral.farm.application.ports.chunk_stores import (
    CollectionPlan,
    Difference,
    ImportedDisk,
    SealedDisk,
    StoreCollection,
    StoreHealing,
    StoreScrub,
    StoreVerification,
)
from corral.farm.application.ports.disk_files import RawFile
from corral.farm.application.progress import Amounts
from corral.farm.domain.estate.store import FolderId
from corral.farm.domain.image.errors import (
    DiskUnreadableError,
    StoreDamagedError,
    StoreFullError,
    StoreNeedsHealingError,
    StoreNotAStoreError,
    StoreOtherFarmError,
    StoreUnreachableError,
    WorkCancelledError,
)
from corral.farm.domain.image.overlay_errors import OverlayHeldError, OverlayUnknownError
from corral.farm.domain.image.root import RootHash

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, MutableMapping

    from corral.farm.application.ports.chunk_stores import Peers, ScrubOrder
    from corral.farm.application.ports.disk_files import ReadableDisk
    from corral.farm.application.progress import Progress
    from corral.farm.domain.estate.farm import FarmId
    from corral.farm.domain.image.overlay import OverlayId

CHUNK_BYTES: Final = 65_536


@dataclass
class MemoryChunkStore:
    """One store. Tests damage it through ``chunks`` and fill it through ``space_bytes``."""

    path: Path
    farm: FarmId
    id: FolderId
    files: MutableMapping[Path, bytes]
    others: Mapping[Path, MemoryChunkStore] = field(default_factory=dict)
    space_bytes: int = 1 << 40
    chunks: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[RootHash, tuple[str, ...]] = field(default_factory=dict)
    sizes: dict[RootHash, int] = field(default_factory=dict)
    overlays: dict[OverlayId, bytes] = field(default_factory=dict)
    """What devices wrote, as whole disks."""
    held_overlays: set[OverlayId] = field(default_factory=set)
    """Those that somebody else has open."""

    def import_disk(self, disk: ReadableDisk, progress: Progress) -> ImportedDisk:
        """Cut a file into chunks and keep what is new."""
        if not isinstance(disk, RawFile) or disk.path not in self.files:
            raise DiskUnreadableError(self.path, "there is no such disk in memory")
        content = self.files[disk.path]
        meter = _Meter(len(content))
        progress.watch(meter)
        names: list[str] = []
        new_chunks = stored = zero = 0
        for offset in range(0, len(content), CHUNK_BYTES):
            if meter.is_cancelled:
                what = f"the import of {disk.path}"
                raise WorkCancelledError(what)
            chunk = content[offset : offset + CHUNK_BYTES]
            name = _chunk_name(chunk)
            names.append(name)
            meter.done_bytes += len(chunk)
            if not any(chunk):
                zero += 1
            elif name not in self.chunks:
                missing = len(chunk) - self.free_bytes()
                if missing > 0:
                    raise StoreFullError(self.path, missing)
                self.chunks[name] = chunk
                new_chunks += 1
                stored += len(chunk)
        record = f"{len(content)} {' '.join(names)}"
        root = RootHash(hashlib.sha256(record.encode()).hexdigest())
        self.manifests[root] = tuple(names)
        self.sizes[root] = len(content)
        return ImportedDisk(root, len(content), len(names), zero, new_chunks, stored)

    def seal(self, overlay: OverlayId, base: RootHash, progress: Progress) -> SealedDisk:
        """Import the whole disk."""
        del base
        if overlay not in self.overlays:
            raise OverlayUnknownError(str(overlay))
        if overlay in self.held_overlays:
            raise OverlayHeldError(str(overlay))
        path, content = Path(f"/memory/overlays/{overlay}"), self.overlays[overlay]
        self.files[path] = content
        try:
            sealed = self.import_disk(RawFile(path, len(content)), progress)
        finally:
            del self.files[path]
        return SealedDisk(sealed.root, sealed.size_bytes)

    def holds(self, root: RootHash) -> bool:
        """Whether every chunk of the version is here, by name."""
        names = self.manifests.get(root)
        return names is not None and all(not n or n in self.chunks for n in names)

    def difference(self, old: RootHash, new: RootHash) -> Difference:
        """Compare two versions place by place."""
        before, after = self.manifests[old], self.manifests[new]
        changed = [
            name
            for place, name in enumerate(after)
            if place >= len(before) or before[place] != name
        ]
        changed_bytes = sum(len(self.chunks[name]) if name else CHUNK_BYTES for name in changed)
        return Difference(len(changed), changed_bytes)

    def verify(self, progress: Progress) -> StoreVerification:
        """Hash everything again."""
        meter = _Meter(sum(map(len, self.chunks.values())))
        progress.watch(meter)
        if meter.is_cancelled:
            what = "the verification"
            raise WorkCancelledError(what)
        damaged = self._damaged()
        meter.done_bytes = meter.total_bytes
        affected = frozenset(
            root
            for root, names in self.manifests.items()
            if any(name and (name in damaged or name not in self.chunks) for name in names)
        )
        return StoreVerification(len(self.chunks), meter.total_bytes, len(damaged), affected)

    def heal(self, peers: Peers, progress: Progress) -> StoreHealing:
        """Find out what is damaged; there is no peer to fetch from in memory."""
        del peers
        damaged = self.verify(progress).damaged_chunks
        return StoreHealing(damaged, 0, 0)

    def plan_collection(self, named: frozenset[RootHash]) -> CollectionPlan:
        """Weigh what no version names."""
        live = self._live()
        if live - self.chunks.keys():
            reason = "a version lacks chunks"
            raise StoreNeedsHealingError(self.path, reason)
        dead_bytes = sum(len(chunk) for name, chunk in self.chunks.items() if name not in live)
        return CollectionPlan(
            named_roots=named,
            kept_roots=frozenset(self.manifests),
            incomplete_roots=frozenset(),
            live_bytes=sum(len(self.chunks[name]) for name in live),
            dead_bytes=dead_bytes,
            freed_bytes=dead_bytes,
            copied_bytes=0,
        )

    def collect(self, plan: CollectionPlan, progress: Progress) -> StoreCollection:
        """Drop what no version names."""
        plan = self.plan_collection(plan.named_roots)
        meter = _Meter(plan.freed_bytes)
        progress.watch(meter)
        if meter.is_cancelled:
            what = "the collection"
            raise WorkCancelledError(what)
        for name in self.chunks.keys() - self._live():
            del self.chunks[name]
        meter.done_bytes = plan.freed_bytes
        return StoreCollection(plan, plan.freed_bytes, 0)

    def fetch(self, root: RootHash, peers: Peers, progress: Progress) -> None:
        """Take it out of a folder at hand; there is nobody else to fetch from."""
        del progress
        for folder in peers.folders:
            other = self.others.get(folder)
            if other is not None and other.holds(root):
                self.manifests[root], self.sizes[root] = other.manifests[root], other.sizes[root]
                names = filter(None, other.manifests[root])
                self.chunks.update({name: other.chunks[name] for name in names})
        if not self.holds(root):
            raise StoreUnreachableError(self.path, f"no peer has {root.short}")

    def scrub(self, order: ScrubOrder, progress: Progress) -> StoreScrub:
        """Find out what is damaged; as with ``heal`` there is no peer."""
        del order
        found = self.verify(progress)
        return StoreScrub(
            checked_bytes=found.checked_bytes,
            damaged_chunks=found.damaged_chunks,
            healed_chunks=0,
            unhealed_chunks=found.damaged_chunks,
            affected_roots=found.affected_roots,
        )

    @contextmanager
    def served(self, root: RootHash, peers: Peers) -> Iterator[ReadableDisk]:
        """Put the version together as a file."""
        del peers
        if self._damaged().intersection(self.manifests[root]):
            raise StoreDamagedError(self.path, len(self._damaged()))
        padded = b"".join(self.chunks[n] if n else bytes(CHUNK_BYTES) for n in self.manifests[root])
        content = padded[: self.sizes[root]]
        path = Path(f"/memory/{root}")
        self.files[path] = content
        try:
            yield RawFile(path, len(content))
        finally:
            del self.files[path]

    def remove_version(self, root: RootHash) -> None:
        """Forget a version."""
        self.manifests.pop(root, None)

    def free_bytes(self) -> int:
        """Give what is left of ``space_bytes``."""
        return self.space_bytes - sum(map(len, self.chunks.values()))

    def _live(self) -> frozenset[str]:
        return frozenset(name for names in self.manifests.values() for name in names if name)

    def _damaged(self) -> frozenset[str]:
        return frozenset(n for n, chunk in self.chunks.items() if _chunk_name(chunk) != n)


class MemoryChunkStores:
    """Stores by path."""

    def __init__(self, files: MutableMapping[Path, bytes]) -> None:
        self._files = files
        self.stores: dict[Path, MemoryChunkStore] = {}
        self._ids = count(1 << 64)

    def create(self, path: Path, farm: FarmId) -> FolderId:
        """Make a store, or take over one of the same farm."""
        if path in self._files:
            raise StoreNotAStoreError(path, "it is a file")
        if path not in self.stores:
            store_id = FolderId(UUID(int=next(self._ids)))
            self.stores[path] = MemoryChunkStore(path, farm, store_id, self._files, self.stores)
        return self.open(path, farm).id

    def open(self, path: Path, farm: FarmId) -> MemoryChunkStore:
        """Open a store."""
        if path not in self.stores:
            raise StoreNotAStoreError(path, "there is no store")
        store = self.stores[path]
        if store.farm != farm:
            raise StoreOtherFarmError(path)
        return store

    def open_to_read(self, path: Path, farm: FarmId) -> MemoryChunkStore:
        """Open a store."""
        return self.open(path, farm)


@dataclass
class _Meter:
    total_bytes: int
    done_bytes: int = 0
    is_cancelled: bool = False

    def amounts(self) -> Amounts:
        return Amounts(total_bytes=self.total_bytes, done_bytes=self.done_bytes)

    def cancel(self) -> None:
        self.is_cancelled = True


def _chunk_name(chunk: bytes) -> str:
    """Name a chunk; zeros have no name, as they are never stored. The hash is not the real one."""
    return hashlib.sha256(chunk).hexdigest() if any(chunk) else ""
