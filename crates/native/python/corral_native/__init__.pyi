"""Corral's data plane: chunk stores and the stream server.

Everything that may take long lets other threads run.
"""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import final

__all__ = [
    "CancelledError",
    "DamagedError",
    "Difference",
    "FolderNotEmptyError",
    "HealReport",
    "Imported",
    "NativeError",
    "NewerFormatError",
    "NoSpaceError",
    "NotAStoreError",
    "OtherFarmError",
    "Overlay",
    "OverlayExistsError",
    "OverlayHead",
    "OverlayInUseError",
    "OverlaySealedError",
    "OverlayUsage",
    "Peers",
    "PeersError",
    "Progress",
    "Replicated",
    "Sealed",
    "ServedCounters",
    "ServedVersion",
    "Session",
    "SourceError",
    "StartError",
    "StorageError",
    "Store",
    "StoreExistsError",
    "StreamServer",
    "TooLargeError",
    "UnknownOverlayError",
    "UnknownVersionError",
    "VerifyReport",
]

class NativeError(Exception):
    """Something that the data plane could not do. The class says what can be done about it."""

    code: str
    """What happened, in stable kebab case."""
    fields: dict[str, str | int]
    """What the message names."""

class NotAStoreError(NativeError): ...
class StoreExistsError(NativeError): ...
class FolderNotEmptyError(NativeError): ...
class OtherFarmError(NativeError): ...
class NewerFormatError(NativeError): ...
class NoSpaceError(NativeError): ...
class TooLargeError(NativeError): ...
class SourceError(NativeError): ...
class UnknownVersionError(NativeError): ...
class DamagedError(NativeError): ...
class PeersError(NativeError): ...
class CancelledError(NativeError): ...
class StorageError(NativeError): ...
class StartError(NativeError): ...
class UnknownOverlayError(NativeError): ...
class OverlayExistsError(NativeError): ...
class OverlayInUseError(NativeError): ...
class OverlaySealedError(NativeError): ...

@final
class Progress:
    """How far one operation is; to be read and cancelled from other threads."""

    def __new__(cls) -> Progress: ...
    @property
    def total_bytes(self) -> int:
        """Plain bytes of the whole work; 0 until it is known."""
    @property
    def done_bytes(self) -> int: ...
    @property
    def new_chunks(self) -> int: ...
    @property
    def new_bytes(self) -> int: ...
    @property
    def stored_bytes(self) -> int:
        """Bytes that the new chunks take in packs."""
    @property
    def is_cancelled(self) -> bool: ...
    def set_rate(self, bytes_a_second: int | None = None) -> None:
        """Let a replication take no more than this from its peers; may be changed meanwhile."""
    def cancel(self) -> None: ...

@final
class Peers:
    """Other servers that have chunks; may be changed while versions are served from them."""

    def __new__(cls, urls: Sequence[str] = ..., ticket: str = "") -> Peers: ...
    def set(self, urls: Sequence[str], ticket: str) -> None: ...

@final
class Imported:
    @property
    def root(self) -> str: ...
    @property
    def size_bytes(self) -> int: ...
    @property
    def chunks(self) -> int: ...
    @property
    def zero_chunks(self) -> int: ...
    @property
    def new_chunks(self) -> int: ...
    @property
    def new_bytes(self) -> int: ...
    @property
    def stored_bytes(self) -> int: ...

@final
class Sealed:
    @property
    def root(self) -> str: ...
    @property
    def size_bytes(self) -> int: ...
    @property
    def read_chunks(self) -> int:
        """Those in which something was written; no others are read or hashed."""
    @property
    def changed_chunks(self) -> int: ...
    @property
    def new_chunks(self) -> int: ...
    @property
    def new_bytes(self) -> int: ...
    @property
    def stored_bytes(self) -> int: ...

@final
class Difference:
    @property
    def changed_chunks(self) -> int: ...
    @property
    def changed_bytes(self) -> int: ...
    @property
    def zeroed_chunks(self) -> int: ...
    @property
    def removed_chunks(self) -> int: ...

@final
class VerifyReport:
    @property
    def is_sound(self) -> bool: ...
    @property
    def packs(self) -> int: ...
    @property
    def checked_chunks(self) -> int: ...
    @property
    def checked_bytes(self) -> int: ...
    @property
    def damaged_chunks(self) -> int:
        """In packs and flat files, root records among them."""
    @property
    def unavailable_chunks(self) -> int:
        """Needed by a version, and in no pack in a sound copy."""
    @property
    def damaged_packs(self) -> list[str]: ...
    @property
    def affected_roots(self) -> list[str]: ...

@final
class HealReport:
    @property
    def is_sound(self) -> bool: ...
    @property
    def healed_chunks(self) -> int: ...
    @property
    def healed_flat_chunks(self) -> int: ...
    @property
    def healed_roots(self) -> list[str]: ...
    @property
    def fetched_chunks(self) -> int: ...
    @property
    def fetched_bytes(self) -> int: ...
    @property
    def unhealed_chunks(self) -> int: ...
    @property
    def affected_roots(self) -> list[str]: ...

@final
class Replicated:
    @property
    def root(self) -> str: ...
    @property
    def size_bytes(self) -> int: ...
    @property
    def fetched_chunks(self) -> int: ...
    @property
    def fetched_bytes(self) -> int: ...
    @property
    def already_chunks(self) -> int: ...

@final
class ServedCounters:
    @property
    def chunks(self) -> int: ...
    @property
    def ready_chunks(self) -> int: ...
    @property
    def found_chunks(self) -> int: ...
    @property
    def from_packs_chunks(self) -> int: ...
    @property
    def from_peers_chunks(self) -> int: ...
    @property
    def from_peers_bytes(self) -> int: ...
    @property
    def replaced_chunks(self) -> int: ...
    @property
    def shared_waits(self) -> int: ...

@final
class ServedVersion:
    """A version in service: each chunk is checked before anybody reads it."""

    @property
    def root(self) -> str: ...
    @property
    def size_bytes(self) -> int: ...
    def materialise(self, progress: Progress) -> None:
        """Make all of it ready; for a thread of its own."""
    def counters(self) -> ServedCounters: ...

@final
class Store:
    """A store of chunks in a folder. Any thread may use it, and so may several processes."""

    @staticmethod
    def create(path: str | PathLike[str], farm: str) -> Store: ...
    @staticmethod
    def open(path: str | PathLike[str], farm: str) -> Store: ...
    @property
    def id(self) -> str: ...
    @property
    def path(self) -> Path: ...
    def free_bytes(self) -> int: ...
    def capacity_bytes(self) -> int: ...
    def import_raw(self, path: str | PathLike[str], progress: Progress) -> Imported: ...
    def import_nbd(
        self, socket: str | PathLike[str], export: str, progress: Progress
    ) -> Imported: ...
    def seal(self, overlay: Overlay, progress: Progress) -> Sealed:
        """Make a version of what the overlay holds, which takes no changes from then on."""
    def holds(self, root: str) -> bool: ...
    def versions(self) -> list[str]: ...
    def difference(self, old: str, new: str) -> Difference: ...
    def verify(self, progress: Progress) -> VerifyReport: ...
    def heal(self, peers: Peers, progress: Progress) -> HealReport: ...
    def replicate(self, root: str, peers: Peers, progress: Progress) -> Replicated: ...
    def serve(self, root: str, peers: Peers) -> ServedVersion: ...
    def remove_version(self, root: str) -> None: ...

@final
class OverlayUsage:
    @property
    def size_bytes(self) -> int: ...
    @property
    def changed_bytes(self) -> int:
        """Bytes that are not the version's any more, zeros among them."""
    @property
    def allocated_bytes(self) -> int:
        """Bytes that are kept for them."""
    @property
    def limit_bytes(self) -> int: ...
    @property
    def is_full(self) -> bool:
        """The last write that needed room found none."""
    @property
    def failure(self) -> str | None:
        """Why nothing is taken any more."""

@final
class OverlayHead:
    @property
    def id(self) -> str: ...
    @property
    def base(self) -> str: ...
    @property
    def size_bytes(self) -> int: ...
    @property
    def limit_bytes(self) -> int: ...
    @property
    def sealed_root(self) -> str | None: ...

@final
class Overlay:
    """A disk over a version that may be changed.

    No other process has it before the last reference to it is gone.
    """

    @staticmethod
    def create(store: Store, overlay: str, base: ServedVersion, limit_bytes: int) -> Overlay: ...
    @staticmethod
    def open(store: Store, overlay: str, base: ServedVersion) -> Overlay: ...
    @staticmethod
    def remove(store: Store, overlay: str) -> None:
        """Take it away with all that was written to it; one that is not there is no error."""
    @staticmethod
    def list(store: Store) -> list[str]: ...
    @staticmethod
    def head(store: Store, overlay: str) -> OverlayHead:
        """Read what it says of itself, whoever has it open."""
    @property
    def id(self) -> str: ...
    @property
    def base(self) -> str:
        """The root of the version below."""
    @property
    def size_bytes(self) -> int: ...
    @property
    def sealed_root(self) -> str | None: ...
    def usage(self) -> OverlayUsage: ...
    def set_limit(self, limit_bytes: int) -> None: ...
    def read_at(self, offset: int, length: int) -> bytes: ...
    def write_at(self, offset: int, data: bytes) -> None: ...
    def flush(self) -> None:
        """Make safe what was written."""

@final
class Session:
    """A connection that is being served."""

    @property
    def id(self) -> int: ...
    @property
    def export(self) -> str: ...
    @property
    def root(self) -> str: ...
    @property
    def subject(self) -> bytes | None:
        """The bytes of the UUID of the ticket's device; None on an open listener."""
    @property
    def address(self) -> str: ...
    @property
    def connected_at(self) -> float:
        """Unix seconds."""
    @property
    def is_corral_client(self) -> bool: ...
    @property
    def sent_bytes(self) -> int: ...
    @property
    def requests(self) -> int: ...

@final
class StreamServer:
    """NBD for devices and chunks over HTTP for other servers, on threads of its own."""

    def __new__(
        cls,
        listeners: Sequence[tuple[str, str]],
        chunk_http: str | None,
        farm_public_key: bytes,
    ) -> StreamServer:
        """Listen: each on ``HOST:PORT`` or ``unix:PATH``, with access ``open`` or ``ticket``."""
    @property
    def addresses(self) -> list[str]:
        """Where it listens, in the order of the listeners."""
    @property
    def chunk_address(self) -> str | None:
        """Where it serves chunks, with the port that was taken."""
    @property
    def is_draining(self) -> bool: ...
    def apply(
        self,
        exports: Sequence[tuple[str, ServedVersion]],
        disks: Sequence[tuple[str, Overlay, bytes]] = ...,
    ) -> None:
        """Offer these and no others; sessions of the others end.

        A disk is only for one device, whose UUID's bytes come with it.
        """
    def serve_store(self, store: Store) -> None:
        """Give this store's chunks to other servers."""
    def drain(self) -> None: ...
    def undrain(self) -> None: ...
    def ask_to_move(self, devices: Sequence[bytes]) -> None:
        """Ask the clients of these devices to log in again and move; take it back of all others."""
    def sessions(self) -> list[Session]: ...
    def counters(self) -> dict[str, int]: ...
    def latency(self) -> list[tuple[float, int]]:
        """Pairs of an upper bound in seconds (the last is infinite) and the requests up to it."""
    def stop(self) -> None:
        """Answer what was asked, then end every session. Called again, it does nothing."""
