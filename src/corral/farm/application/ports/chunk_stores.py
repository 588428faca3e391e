"""Stores: where chunks are kept. The bytes themselves never pass through this port."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from datetime import datetime
    from pathlib import Path

    from corral.farm.application.ports.disk_files import ReadableDisk
    from corral.farm.application.ports.sources import Clock
    from corral.farm.application.progress import Progress
    from corral.farm.domain.estate.farm import FarmId
    from corral.farm.domain.estate.server import ServerName
    from corral.farm.domain.estate.store import FolderId
    from corral.farm.domain.image.overlay import OverlayId
    from corral.farm.domain.image.root import RootHash


@dataclass(frozen=True)
class Peer:
    """Another server of the farm that has chunks."""

    server: ServerName
    url: str


@dataclass(frozen=True)
class Peers:
    """Where else chunks can be had, and the permission to fetch them."""

    servers: tuple[Peer, ...] = ()
    ticket: str = ""
    """A replication ticket; empty only where there are no servers."""
    authority: str = ""
    """The farm's root certificate, by which those with https are believed."""
    folders: tuple[Path, ...] = ()
    """Stores of the farm that are asked first; one that is not on this machine is passed over."""


@dataclass(frozen=True)
class ImportedDisk:
    """What an import put into a store."""

    root: RootHash
    size_bytes: int
    chunks: int
    zero_chunks: int
    """Chunks of zeros, which are never stored."""
    new_chunks: int
    """Chunks that the store did not have before."""
    stored_bytes: int
    """Bytes that the new chunks take in the store, compressed."""


@dataclass(frozen=True)
class SealedDisk:
    """What a disk that a device wrote became."""

    root: RootHash
    size_bytes: int


@dataclass(frozen=True)
class Difference:
    """How much of a version changed."""

    changed_chunks: int
    changed_bytes: int


@dataclass(frozen=True)
class StoreVerification:
    """What reading a whole store against the chunks' names has found."""

    checked_chunks: int
    checked_bytes: int
    damaged_chunks: int
    affected_roots: frozenset[RootHash]
    """Versions that need a damaged or missing chunk."""

    @property
    def is_sound(self) -> bool:
        """Whether every byte is what its name says."""
        return not self.damaged_chunks and not self.affected_roots


@dataclass(frozen=True)
class StoreHealing:
    """What healing a store came to."""

    damaged_chunks: int
    healed_chunks: int
    fetched_bytes: int

    @property
    def is_sound(self) -> bool:
        """Whether nothing damaged is left."""
        return self.healed_chunks == self.damaged_chunks


@dataclass(frozen=True)
class CollectionPlan:
    """What collecting a store would do; making it changes nothing."""

    named_roots: frozenset[RootHash]
    """The versions that the caller named."""
    kept_roots: frozenset[RootHash]
    """The versions that are in the store: all of them are kept, named or not."""
    incomplete_roots: frozenset[RootHash]
    """Versions of which a replication has brought a part, which is kept too."""
    live_bytes: int
    """Bytes of chunks that versions need."""
    dead_bytes: int
    """Bytes of chunks that nobody needs."""
    freed_bytes: int
    """Bytes that become free. Less than what is dead where little of a file is."""
    copied_bytes: int
    """Bytes that are written again meanwhile, because what lies between them is dead."""
    abandoned_bytes: int = 0
    """Bytes that killed imports left; what no version needs of them becomes free too."""
    unusable_packs: int = 0
    """Files that cannot be read, and are left for healing."""

    @property
    def unnamed_roots(self) -> frozenset[RootHash]:
        """The versions that are in the store and that nobody named."""
        return self.kept_roots - self.named_roots


@dataclass(frozen=True)
class StoreCollection:
    """What collecting a store came to."""

    plan: CollectionPlan
    """What was carried out: the plan as it was when the work began."""
    freed_bytes: int
    copied_bytes: int
    spared_packs: int = 0
    """Files that stay against the plan: something in them is needed by now, or is damaged."""


@dataclass(frozen=True)
class ScrubOrder:
    """How a store is to be scrubbed."""

    peers: Peers
    """Who may have what is damaged."""
    rate: int | None
    """Bytes a second at the most; none for as fast as the disk goes."""
    since: datetime
    """A pass that began then or later is gone on with, or is the answer if it has ended."""
    clock: Clock


@dataclass(frozen=True)
class StoreScrub:
    """What a pass of a scrub came to."""

    checked_bytes: int
    damaged_chunks: int
    """Those that were gone, too."""
    healed_chunks: int
    unhealed_chunks: int
    """That a version needs, and nobody could give."""
    affected_roots: frozenset[RootHash]
    """Versions that need one of those."""

    @property
    def is_sound(self) -> bool:
        """Whether nothing damaged is left."""
        return not self.unhealed_chunks and not self.affected_roots


class ChunkStore(Protocol):
    """One open store.

    Any method may raise ``StoreUnreachableError``; one that takes a progress may raise
    ``WorkCancelledError``.
    """

    def import_disk(self, disk: ReadableDisk, progress: Progress) -> ImportedDisk:
        """Cut a disk into chunks and keep what is new.

        Raises ``StoreFullError``, ``DiskTooLargeError``, ``DiskUnreadableError``. Killed or failed,
        it leaves no version; chunks that got in are used again by the next import.
        """
        ...

    def seal(self, overlay: OverlayId, base: RootHash, progress: Progress) -> SealedDisk:
        """Make a version of what a device wrote over ``base``; sealed already, it stays the same.

        It takes no changes from then on. Raises ``OverlayUnknownError`` if it is not in the store,
        ``OverlayHeldError`` while another process has it open, ``StoreFullError``.
        """
        ...

    def holds(self, root: RootHash) -> bool:
        """Whether the store has every chunk of the version, by its own books; reads no chunk."""
        ...

    def difference(self, old: RootHash, new: RootHash) -> Difference:
        """Compare two versions that the store holds."""
        ...

    def verify(self, progress: Progress) -> StoreVerification:
        """Read everything and compare it with its name."""
        ...

    def heal(self, peers: Peers, progress: Progress) -> StoreHealing:
        """Verify, and replace what is damaged with sound chunks from other servers."""
        ...

    def plan_collection(self, named: frozenset[RootHash]) -> CollectionPlan:
        """Find out what could be freed. ``named`` are the versions that the farm wants there.

        Raises ``StoreNeedsHealingError`` if it cannot be known what a version needs.
        """
        ...

    def collect(self, plan: CollectionPlan, progress: Progress) -> StoreCollection:
        """Free what no version in the store needs; waits for imports into it to end.

        Looks again what is needed before anything goes. Killed or failed, no version has lost a
        chunk, and what was freed is free. Raises as ``plan_collection`` does, and
        ``StoreFullError``.
        """
        ...

    def fetch(self, root: RootHash, peers: Peers, progress: Progress) -> None:
        """Fetch what the store lacks of a version from other servers, each chunk checked.

        Raises ``StoreFullError``, and ``StoreUnreachableError`` where nobody gives what is missing.
        Cut off, it goes on from there when it is asked for again.
        """
        ...

    def scrub(self, order: ScrubOrder, progress: Progress) -> StoreScrub:
        """Read everything once, heal what is damaged at once, and remember how far it is.

        Raises ``StoreFullError`` where healing finds no room. Cancelled or killed, it is gone on
        with where it was.
        """
        ...

    def served(self, root: RootHash, peers: Peers) -> AbstractContextManager[ReadableDisk]:
        """Make a version readable as a disk for the length of the block.

        Raises ``StoreDamagedError`` where a chunk is damaged and no peer has a sound one.
        """
        ...

    def remove_version(self, root: RootHash) -> None:
        """Forget a version; quietly done if the store does not have it."""
        ...

    def free_bytes(self) -> int:
        """Give the space left in the file system under the store."""
        ...


class ChunkStores(Protocol):
    """Makes and opens stores on this machine."""

    def create(self, path: Path, farm: FarmId) -> FolderId:
        """Make a store in a new or empty folder.

        A store of this farm that is there already is taken over as it is. Raises
        ``StoreOtherFarmError``, ``StoreNewerError``, ``StoreNotAStoreError``.
        """
        ...

    def open(self, path: Path, farm: FarmId) -> ChunkStore:
        """Open a store; raises as ``create`` does."""
        ...

    def open_to_read(self, path: Path, farm: FarmId) -> ChunkStore:
        """Open a store without writing anything, as on a medium; raises as ``create`` does."""
        ...
