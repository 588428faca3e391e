"""A stream process asks what it should do and says what it does.

Desired state: the configuration says what should be, whole, each time; the process makes it so and
reports what is. Nothing here is a command, so losing or repeating a message does no harm.
"""

from enum import StrEnum
from uuid import UUID

from pydantic import Field

from corral.wire.message import (
    Address,
    Base64,
    Bytes,
    ExportName,
    HttpUrl,
    Message,
    Name,
    Part,
    RootHex,
    StreamName,
    UnixSeconds,
)
from corral.wire.overlay import Overlay, OverlayReport


class Export(Part):
    """A version that the server should offer."""

    name: ExportName
    root: RootHex
    signature: Base64
    """The farm's Ed25519 signature of the root; an export is not offered if it is wrong."""


class Peer(Part):
    """Another server, as a source of chunks."""

    server: Name
    url: HttpUrl


class Replica(Part):
    """A version whose chunks the server should hold, and who may have what it lacks."""

    root: RootHex
    export: ExportName
    """One version with this root, for people; there may be several."""
    signature: Base64
    size_bytes: Bytes
    peers: tuple[Peer, ...]
    doubt: int = 0
    """If not 0, a verification found damage: look at the bytes, not at the books, heal, and report
    this number as ``healed_doubt``. A later finding has a higher number."""


class Move(Part):
    """A device that is to read from another server."""

    device: UUID
    """The subject of its ticket."""
    to: tuple[Name, ...]
    """Where it is wanted, for people; the device learns it from its next login."""


class ServerConfiguration(Message):
    """The answer to ``GET /v1/server/configuration``: all that a stream process is to do."""

    farm: UUID
    generation: int
    """Never goes back; a configuration older than the one in force is refused."""
    farm_public_key: Base64
    server: Name
    exports: tuple[Export, ...]
    replicas: tuple[Replica, ...]
    replication_ticket: str
    """Opens the chunk servers of the peers; a secret."""
    draining: bool = False
    replication_rate: int | None = None
    """Bytes a second that all replication of this server together may take now; none for no
    limit. Heals that a device waits for are not held up."""
    reader_digest: Base64 = ""
    """SHA-256 of the key that opens the metrics at the management address; empty for nobody."""
    management: Address | None = None
    """Where devices can log in whatever becomes of the API, and where the process says how it is;
    no such listener if there is none."""
    removals: tuple[RootHex, ...] = ()
    """What no version of the farm has any more: to be removed from the store, then to be reported
    as ``removed``. Only by who was just given this configuration: one that was kept may be older
    than a publication of the same root."""
    overlays: tuple[Overlay, ...] = ()
    """Disks that devices may change. Like ``removals``: what is not named is removed, only by who
    was just given this configuration."""
    moves: tuple[Move, ...] = ()
    """Devices whose clients are to be told that the farm wants them elsewhere. Served on, like all
    others; one that is not named any more is told no more."""


class ReplicaState(StrEnum):
    """How far a replica is."""

    WANTED = "wanted"
    FETCHING = "fetching"
    COMPLETE = "complete"
    DAMAGED = "damaged"
    STUCK = "stuck"
    REMOVING = "removing"
    """In lists only: the farm awaits that the server reports it removed."""


class ReplicaReport(Part):
    """The state of one replica that the server was told to hold."""

    root: RootHex
    state: ReplicaState
    done_bytes: Bytes = 0
    """Bytes of the image whose chunks are there."""
    total_bytes: Bytes = 0
    fetched_bytes: Bytes = 0
    """Bytes that came over the network for it since the process began."""
    problem: str = ""
    """Why it is damaged or stuck, for people. It is tried again all the same."""
    healed_doubt: int = 0
    """The highest ``doubt`` of it that was known when a healing began that left it sound. Damage
    stands, whatever ``state`` says, until this reaches the doubt."""


class SessionReport(Part):
    """A connection that is being served."""

    subject: UUID | None
    """The device of the ticket; none on a listener that asks for no ticket."""
    device: Name | None = None
    """The device's name, where the server knows it."""
    export: StreamName
    address: str
    connected_at: UnixSeconds
    sent_bytes: Bytes


class RefusedExport(Part):
    """An export of the configuration that the server does not offer, and why."""

    name: ExportName
    code: str
    detail: str


class ServerReport(Message):
    """The body of ``POST /v1/server/report``: what the stream process does now."""

    server: Name
    generation: int
    """Of the configuration in force."""
    draining: bool = False
    exports: tuple[ExportName, ...] = ()
    """What is on offer."""
    refused: tuple[RefusedExport, ...] = ()
    replicas: tuple[ReplicaReport, ...] = ()
    """Like ``removed`` counted only if ``generation`` is the farm's present one."""
    removed: tuple[RootHex, ...] = ()
    """Those of the ``removals`` that are gone: the manifest and the flat file."""
    overlays: tuple[OverlayReport, ...] = ()
    """Every overlay that there is, also one that is still to be removed."""
    sessions: tuple[SessionReport, ...] = ()
    counters: dict[str, int] = Field(default_factory=dict)
    """The stream server's own counters since its start, by name."""
    store_free_bytes: Bytes | None = None
    sent_at: float | None = None
    """Seconds since 1970 by the server's own clock, which the farm compares with its own."""


class ReportAccepted(Message):
    """The answer to a report."""

    generation: int
    """Of the configuration that the farm wants now; if higher than reported, fetch it."""


class ServerFile(Message):
    """What a stream process is started with: ``FARM/servers/NAME.json``.

    Readable by its owner only (0600), for it holds the server's token.
    """

    farm: UUID
    farm_public_key: Base64
    """Checks what comes over the network: roots that are offered, and tickets."""
    server: Name
    token: str
    api_urls: tuple[HttpUrl, ...]
    store: str
    """Absolute path of the store folder."""
    listen: tuple[str, ...]
    """``HOST:PORT`` or ``unix:PATH``; a unix socket is open to whoever may open its file."""
    chunks: Address
    """Where the chunk server for other servers listens."""
