"""A stream process asks what it should do and says what it does.

Desired state: the configuration says what should be, whole, each time; the process makes it so and
reports what is. Nothing here is a command, so losing or repeating a message does no harm.
"""

from enum import StrEnum
from typing import Annotated
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

Word = Annotated[str, Field(max_length=32)]


class Export(Part):
    """A version that the server should offer."""

    name: ExportName
    root: RootHex
    signature: Base64
    """The farm's Ed25519 signature of the root; an export is not offered if it is wrong."""
    standing: Word = ""
    """Where the version stands, so that a farm that lost its records can be told. An older farm
    does not say it."""


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
    standing: Word = ""
    """Like that of an export."""
    content: Word = ""
    """What the version is: a disk, a kit, or media."""


class Move(Part):
    """A device that is to read from another server."""

    device: UUID
    """The subject of its ticket."""
    to: tuple[Name, ...]
    """Where it is wanted, for people; the device learns it from its next login."""


class Scrubbing(Part):
    """How the server should read all that its store keeps, again and again."""

    rate: Bytes
    """Bytes a second at the most; 0 for not at all."""
    every_seconds: int = Field(ge=60)
    """How often a pass should begin."""
    peers: tuple[Peer, ...] = ()
    """Who may have what turns out damaged; opened by the replication ticket."""


class OrderedKit(Part):
    """A release that should lie on the server's disk, beside what runs."""

    release: Annotated[str, Field(max_length=64)]
    root: RootHex
    """Of the version that is the kit; its chunks come like those of any replica."""
    size_bytes: Bytes
    export: ExportName
    """That version, for people."""


class OrderedSwitch(Part):
    """A release that should run."""

    release: Annotated[str, Field(max_length=64)]
    expects: Annotated[str, Field(max_length=64)]
    """What must run now for the switch; with anything else there, nothing is done."""


class ReleaseOrder(Part):
    """What the farm wants of a server's releases."""

    number: int = Field(ge=1)
    """Only rises: a server that has obeyed one obeys none with a lower number."""
    install: OrderedKit | None = None
    run: OrderedSwitch | None = None
    rest: bool = False
    """A relay serves nothing, whatever release it and the farm have."""


class ServerConfiguration(Message):
    """The answer to ``GET /v1/server/configuration``: all that a stream process is to do."""

    farm: UUID
    generation: int
    """Never goes back; a configuration older than the one in force is refused."""
    farm_public_key: Base64
    server: Name
    api_urls: tuple[HttpUrl, ...] = ()
    """Where the farm's API is now, best first. An older farm says nothing of it: it is where the
    server's file says."""
    exports: tuple[Export, ...]
    replicas: tuple[Replica, ...]
    replication_ticket: str
    """Opens the chunk servers of the peers; a secret."""
    draining: bool = False
    replication_rate: int | None = None
    """Bytes a second that all replication of this server together may take now: its share of its
    site's line, which changes as others begin and finish; none for no limit. Heals that a device
    waits for are not held up."""
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
    restored_at: UnixSeconds | None = None
    """When the farm was last restored from a backup. Overlays that it does not name when this is
    first heard of may have begun after that backup: they are kept, and never removed for it."""
    observes: bool = False
    """The farm was restored and does not know yet what this server holds: whatever the server was
    told before stays in force beside this, and it says what that is. Only who asks with
    ``observes`` is given such a configuration."""
    followed: int | None = None
    """Not the farm's word: the server itself notes here, in what it keeps, which generation it had
    followed when it was first told to join."""
    certificate_hosts: tuple[str, ...] = ()
    """Addresses that the server's certificate is to name; if its own names others, it asks for a
    new one."""
    certificate_authority: str = ""
    """The farm's root certificate in PEM: what servers know each other by."""
    moves: tuple[Move, ...] = ()
    """Devices whose clients are to be told that the farm wants them elsewhere. Served on, like all
    others; one that is not named any more is told no more."""
    scrub: Scrubbing | None = None
    """An older farm says nothing of it, and its servers scrub nothing."""
    release: str = ""
    """Of the farm. A relay of another one refuses to serve."""
    relay: bool = False
    """The server is the relay of its site: at its management address it answers the computers
    there, carrying what they and the farm say."""
    order: ReleaseOrder | None = None
    """An older farm orders nothing; an older server does not hear of it."""


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


class ScrubPass(Part):
    """One reading of all that the store keeps."""

    started_at: UnixSeconds
    finished_at: UnixSeconds | None = None
    total_bytes: Bytes
    """Of all files when it began."""
    checked_bytes: Bytes
    damaged_chunks: int = Field(ge=0)
    """With pages, indexes and root records; those that were gone, too."""
    healed_chunks: int = Field(ge=0)


class ScrubReport(Part):
    """What is known of the scrub of the server's store, whichever process did it."""

    under_way: ScrubPass | None = None
    last: ScrubPass | None = None
    """The last that ended."""
    passes: int = Field(default=0, ge=0)
    """That ended, ever; so are the next three."""
    checked_bytes: Bytes = 0
    damaged_chunks: int = Field(default=0, ge=0)
    healed_chunks: int = Field(default=0, ge=0)
    unhealed_chunks: int = Field(default=0, ge=0)
    """That a version needs now, and nobody could give. The replicas concerned are damaged."""
    problem: str = ""
    """Why it does not get on, for people."""


class ReleaseProblem(Part):
    """Why an order about releases is not done."""

    order: int = Field(ge=0)
    """Its number."""
    code: Annotated[str, Field(max_length=64)]
    message: Annotated[str, Field(max_length=1024)]


class ReleasesReport(Part):
    """Which releases there are on the server, and how far it is with what was ordered."""

    running: Annotated[str, Field(max_length=64)]
    installed: tuple[Annotated[str, Field(max_length=64)], ...] = ()
    """In the releases folder, checked and tried; also that which runs, if it runs from there."""
    order: int = Field(default=0, ge=0)
    """The highest number that was obeyed."""
    ready: bool = False
    """The process has passed its self-test since it started."""
    supervised: bool = False
    """A supervisor runs that installs and switches releases."""
    resting: bool = False
    problem: ReleaseProblem | None = None


class HeldVersion(Part):
    """A version that the farm once told the server to hold, and that it did not let go."""

    export: ExportName
    root: RootHex
    signature: Base64
    size_bytes: Bytes
    standing: Word = ""
    content: Word = ""
    offered: bool = False
    complete: bool = False


class Holdings(Part):
    """What a server holds by what it was told, for a farm that does not know it any more."""

    generation: int = Field(ge=0, lt=2**62)
    """That it followed before; 0 if it had nothing in force."""
    versions: tuple[HeldVersion, ...] = ()
    overlays: tuple[Overlay, ...] = ()


class ServerReport(Message):
    """The body of ``POST /v1/server/report``: what the stream process does now."""

    server: Name
    generation: int = Field(lt=2**62)
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
    certificate_ends_at: UnixSeconds | None = None
    """When the certificate that it shows is over; none if it has none."""
    requires_tls: bool = False
    """Whether its streams are to be had under TLS only."""
    chunks_require_tls: bool = False
    """Whether its chunks are; an older server gives them in the clear only."""
    scrub: ScrubReport | None = None
    release: Annotated[str, Field(max_length=64)] = ""
    """Of the program; an older one does not say it."""
    refusal: Annotated[str, Field(max_length=1024)] = ""
    """Why it serves its site nothing, of a relay; empty if it does."""
    releases: ReleasesReport | None = None
    """An older server says nothing of it."""
    holds: Holdings | None = None
    """Said while the configuration in force ``observes``."""


class ReportAccepted(Message):
    """The answer to a report."""

    generation: int
    """Of the configuration that the farm wants now; if higher than reported, fetch it."""


class CertificateRequest(Message):
    """The body of ``POST /v1/server/certificate``."""

    public_key: Annotated[str, Field(max_length=2048)]
    """In PEM, on the curve P-256. The private one stays where it was made."""


class ServerCertificate(Message):
    """The answer: a certificate for the server's addresses."""

    certificate: str
    """In PEM, signed by the farm's root."""
    hosts: tuple[str, ...]
    ends_at: UnixSeconds


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
    """Where the API was when the server was added: asked where the configuration says nothing, and
    where nobody answers at the URLs that it names."""
    store: str
    """Absolute path of the store folder."""
    listen: tuple[str, ...]
    """``HOST:PORT`` or ``unix:PATH``; a unix socket is open to whoever may open its file."""
    chunks: Address
    """Where the chunk server for other servers listens."""
    certificate_authority: str = ""
    """The farm's root certificate in PEM: the API and other servers are believed by it alone. In a
    file of an older release it is missing; https URLs are then believed as browsers do."""
