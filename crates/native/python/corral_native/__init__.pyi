"""Corral's data plane: chunk stores and the stream server.

Everything that may take long lets other threads run.
"""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Literal, final

__all__ = [
    "CancelledError",
    "Collected",
    "CollectionPlan",
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
    "Pace",
    "Peers",
    "PeersError",
    "Progress",
    "Replicated",
    "Scrub",
    "ScrubPass",
    "ScrubState",
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
class Pace:
    """A rate that several operations keep to together; may be changed meanwhile."""

    def __new__(cls) -> Pace: ...
    def set_rate(self, bytes_a_second: int | None = None) -> None:
        """Let no more than this come from peers, to all of them together."""

@final
class Progress:
    """How far one operation is; to be read and cancelled from other threads."""

    def __new__(cls, pace: Pace | None = None) -> Progress:
        """Begin at zero: at a pace of its own, or at one that it shares with others."""
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
    def awaited_writers(self) -> int:
        """Writers of the store whose end is waited for."""
    @property
    def is_cancelled(self) -> bool: ...
    def set_rate(self, bytes_a_second: int | None = None) -> None:
        """Let a replication take no more than this from its peers, with all that share its pace.

        It may be changed meanwhile.
        """
    def cancel(self) -> None: ...

@final
class Peers:
    """Servers, and stores at hand, that have chunks.

    May be changed while versions are served from them.
    """

    def __new__(
        cls,
        urls: Sequence[str] = ...,
        ticket: str = "",
        authority: str = "",
        stores: Sequence[Store] = ...,
    ) -> Peers:
        """Take chunks from ``stores``, and what those lack from the servers at ``urls``.

        A ticket for replication or for fetching opens those. https URLs are believed by the root
        certificate ``authority``, in PEM, and by nothing else; they are never asked in the clear.
        """
    def set(
        self,
        urls: Sequence[str],
        ticket: str,
        authority: str = "",
        stores: Sequence[Store] = ...,
    ) -> None:
        """Take them from there from now on."""

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
class CollectionPlan:
    """What a collection would do."""

    @property
    def kept_roots(self) -> list[str]:
        """All versions that are here."""
    @property
    def unnamed_roots(self) -> list[str]:
        """Those of them that the caller did not name."""
    @property
    def incomplete_roots(self) -> list[str]:
        """Named versions of which a replication has brought a part, which is kept."""
    @property
    def given_up_roots(self) -> list[str]:
        """Versions of which there is a part that nobody wants any more."""
    @property
    def packs(self) -> int: ...
    @property
    def unusable_packs(self) -> list[str]: ...
    @property
    def live_bytes(self) -> int: ...
    @property
    def dead_bytes(self) -> int: ...
    @property
    def deleted_packs(self) -> int: ...
    @property
    def rewritten_packs(self) -> int: ...
    @property
    def copied_bytes(self) -> int: ...
    @property
    def freed_bytes(self) -> int:
        """Bytes of dead chunks that become free."""
    @property
    def flat_files(self) -> int: ...
    @property
    def flat_bytes(self) -> int: ...
    @property
    def abandoned_bytes(self) -> int:
        """Bytes that killed writers left."""

@final
class Collected:
    """What a collection did."""

    @property
    def plan(self) -> CollectionPlan: ...
    @property
    def removed_packs(self) -> int: ...
    @property
    def copied_bytes(self) -> int: ...
    @property
    def freed_bytes(self) -> int:
        """Bytes of packs and flat files that are gone, less those written again."""
    @property
    def removed_flats(self) -> int: ...
    @property
    def spared_packs(self) -> list[str]:
        """Packs that stay against the plan."""

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
    def carried_chunks(self) -> int:
        """Those that came from stores at hand."""
    @property
    def carried_bytes(self) -> int: ...
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
    @staticmethod
    def open_to_read(path: str | PathLike[str], farm: str) -> Store:
        """Open it without writing anything, as on a medium that is mounted to be read only."""
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
    def plan_collection(self, named: list[str]) -> CollectionPlan:
        """Find out what a collection would free, and change nothing.

        All versions that are here are kept; ``named`` are those that the caller knows of.
        """
    def collect(self, plan: CollectionPlan, progress: Progress) -> Collected:
        """Free what no version needs. Waits for writers of the store to end."""
    def replicate(self, root: str, peers: Peers, progress: Progress) -> Replicated: ...
    def serve(self, root: str, peers: Peers) -> ServedVersion: ...
    def remove_version(self, root: str) -> None: ...

@final
class ScrubPass:
    """One reading of all that a store keeps; times are Unix seconds."""

    @property
    def started_at(self) -> int: ...
    @property
    def finished_at(self) -> int | None: ...
    @property
    def total_bytes(self) -> int:
        """Of all files when it began."""
    @property
    def checked_bytes(self) -> int: ...
    @property
    def damaged_chunks(self) -> int:
        """In packs and flat files, with indexes, root records, and chunks that are gone."""
    @property
    def healed_chunks(self) -> int: ...

@final
class ScrubState:
    """What is known of a store's scrub, whichever process did it."""

    @property
    def under_way(self) -> ScrubPass | None: ...
    @property
    def last(self) -> ScrubPass | None:
        """The last that ended."""
    @property
    def passes(self) -> int: ...
    @property
    def checked_bytes(self) -> int: ...
    @property
    def damaged_chunks(self) -> int: ...
    @property
    def healed_chunks(self) -> int: ...
    @property
    def unhealed_chunks(self) -> int:
        """Needed by a version, and nobody could give them."""
    @property
    def affected_roots(self) -> list[str]: ...

@final
class Scrub:
    """Reads all that a store keeps, and makes good what is damaged. For one thread."""

    @staticmethod
    def in_background(store: Store) -> Scrub:
        """Let who scrubs at once go first."""
    @staticmethod
    def at_once(store: Store) -> Scrub:
        """Take it over from who does it in the background."""
    def begin(self, progress: Progress, now: int) -> bool:
        """Begin a pass instead of the one under way; False if somebody else scrubs."""
    def step(
        self, peers: Peers, progress: Progress, now: int
    ) -> Literal["busy", "resting", "working", "finished"]:
        """Check a little more, at the rate of the progress."""
    def tend(self, peers: Peers, progress: Progress, now: int) -> None:
        """Ask for what nobody could give, and read nothing else."""
    def pause(self, now: int) -> None:
        """Keep the position, and let others scrub."""
    def state(self) -> ScrubState: ...

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
    """NBD for devices and chunks over HTTP for others of the farm, on threads of its own."""

    def __new__(
        cls,
        listeners: Sequence[tuple[str, str]],
        chunk_http: str | None,
        farm_public_key: bytes,
        *,
        chunk_tls: bool = False,
    ) -> StreamServer:
        """Listen: each on ``HOST:PORT`` or ``unix:PATH``, with access ``open`` or ``ticket``.

        With ``ticket-tls`` nothing is said there but under TLS; elsewhere on TCP it is offered.
        With ``chunk_tls`` chunks are given under TLS only, once there is a certificate to show;
        without it, in the clear only.
        """
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
    def show_certificate(self, certificate: str, private_key: str) -> None:
        """Show this from now on to whoever wants TLS; both in PEM."""
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
