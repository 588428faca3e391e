"""Stores: where chunks are kept. The bytes themselves never pass through this port."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from corral.farm.application.ports.disk_files import ReadableDisk
    from corral.farm.application.progress import Progress
    from corral.farm.domain.estate.farm import FarmId
    from corral.farm.domain.estate.server import ServerName
    from corral.farm.domain.estate.store import FolderId
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
