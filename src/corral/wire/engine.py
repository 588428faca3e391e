"""An engine and its farm: a computer registers, checks in, and is told what should be on it.

Desired state, as with servers: orders say what should be, whole, each time; the engine makes it so
in its own time and says at the next check-in what is. Nothing here is a command, so that losing or
repeating a message does no harm, and a relay may answer with orders that the farm signed before its
line was cut.

Both sides sign: a check-in with the computer's key, orders with the farm's. What is signed is the
text of the message, character by character, behind a word for its purpose. A sequence that only
rises keeps a check-in from being played again, a generation that only rises keeps old orders from
being believed again; neither trusts a clock.
"""

from enum import StrEnum
from typing import Annotated, Final
from uuid import UUID

from pydantic import Field

from corral.wire.message import (
    Base64,
    Bytes,
    ExportName,
    HttpUrl,
    Message,
    Name,
    Part,
    RootHex,
    UnixSeconds,
)

# No signature for one purpose can be used for another.
_REGISTRATION: Final = b"corral registration v1\0"
_CHECK_IN: Final = b"corral check-in v1\0"
_ORDERS: Final = b"corral orders v1\0"

Release = Annotated[str, Field(min_length=1, max_length=64)]
"""A release of the software, such as ``1.4.0``: numbers with dots, compared number by number."""

_COUNT_AT_MOST: Final = (1 << 63) - 1
Sequence = Annotated[int, Field(ge=1, le=_COUNT_AT_MOST)]
Count = Annotated[int, Field(ge=0, le=_COUNT_AT_MOST)]
Problem = Annotated[str, Field(max_length=1024)]
Code = Annotated[str, Field(max_length=64)]


class Accelerator(StrEnum):
    """By what a computer runs virtual machines."""

    KVM = "kvm"
    EMULATION = "emulation"


class EngineFacts(Part):
    """What an engine is and can do; rules of compatibility are evaluated against it."""

    release: Release
    architecture: Annotated[str, Field(max_length=32)]
    """Of the computer, as the kernel calls it: ``x86_64``."""
    image_formats: Annotated[tuple[int, ...], Field(max_length=64)]
    """The formats of images that it can run."""
    guest_tools: Release | None = None
    """The guest tools that it brings along."""
    accelerator: Accelerator = Accelerator.EMULATION
    memory_bytes: Bytes = 0
    disk_bytes: Bytes = 0
    disk_free_bytes: Bytes = 0
    """Of the file system that its store is on."""


class Registration(Message):
    """What a computer that nobody knows says of itself; signed text within ``SignedRegistration``.

    With a code it is registered at once, without one an administrator has to approve it.
    """

    name: Name
    public_key: Base64
    """Ed25519, 32 bytes. The private one was made on the computer and stays there."""
    code: Annotated[str, Field(max_length=64)] | None = None
    """The one-time code that somebody was given; a secret until it is used."""
    user: Name | None = None
    """Whose computer it is, where the code does not say."""
    engine: EngineFacts


class SignedRegistration(Message):
    """The body of ``POST /v1/computers/register``. Repeating it changes nothing."""

    registration: Annotated[str, Field(max_length=16_384)]
    """A :class:`Registration` as JSON text."""
    signature: Base64
    """By the key that it names: whoever asks has the private one."""


class ComputerState(StrEnum):
    """How a computer stands with its farm."""

    WAITING = "waiting"
    """It asked to be registered, and nobody has approved it yet."""
    REGISTERED = "registered"
    KILL_PENDING = "kill-pending"
    """It is to be erased at its next check-in."""
    KILLED = "killed"
    """It was told to erase itself; it is not listened to any more."""
    RECYCLED = "recycled"
    """It was killed and may register anew."""


class RegistrationAnswer(Message):
    """The answer to a registration."""

    computer: UUID
    name: Name
    state: ComputerState
    farm: UUID
    farm_name: Name
    farm_public_key: Base64
    """By which orders and roots are believed from now on."""
    api_urls: tuple[HttpUrl, ...]
    certificate_authority: str = ""
    """The farm's root certificate in PEM."""


class MachineMode(StrEnum):
    """What becomes of what a virtual machine writes to its system disk."""

    SHARED = "shared"
    """Reset at each start; what users keep is on the user disk."""
    CUSTOM = "custom"
    """Kept: later versions do not reach it."""
    LOCAL = "local"
    """Made on the computer; the farm only hears of it."""


class MachinePolicy(Part):
    """How a virtual machine is run, and how it takes a new version."""

    memory_mib: Annotated[int, Field(ge=64, le=1 << 20)] = 1024
    processors: Annotated[int, Field(ge=1, le=256)] = 1
    user_disk_bytes: Bytes = 0
    """The size of the disk that outlives each start of a shared one; 0 for none."""
    prove_within_seconds: Annotated[int, Field(ge=10)] = 600
    """A new version whose guest agent is not healthy for so long is taken back."""
    soak_seconds: Annotated[int, Field(ge=0)] = 60
    """How long it must stay healthy before it counts as proven."""
    postpone_seconds: Annotated[int, Field(ge=0)] = 0
    """How long its user may put a restart off after being told of a new version; 0 for as long as
    they like: the version is taken whenever they restart."""
    starts_itself: bool = False
    """Whether it is started with the engine."""


class MachineOrder(Part):
    """A virtual machine that should be on a computer, for one of its users."""

    image: Name
    user: Name
    mode: MachineMode
    version: ExportName
    root: RootHex
    signature: Base64
    """The farm's Ed25519 signature of the root."""
    size_bytes: Bytes
    image_format: int = 1
    guest_tools: Release | None = None
    """The guest tools in this version, if known."""
    is_staged: bool = False
    attempt: Annotated[int, Field(ge=0)] = 0
    """Raised when somebody says to try again: a version that went back under this number is held
    until then."""
    is_disabled: bool = False
    """Not to be started; nothing is deleted."""
    is_paused: bool = False
    """What is missing is not fetched now."""
    policy: MachinePolicy = MachinePolicy()


class KitOrder(Part):
    """A release of the engine that a computer should run. Its file is a version like any other."""

    kit: Name
    release: Release
    root: RootHex
    signature: Base64
    """The farm's signature of the root; the kit inside is signed by its publisher, too."""
    size_bytes: Bytes
    attempt: Annotated[int, Field(ge=0)] = 0


class Source(Part):
    """Who gives chunks: a server, or the relay of the computer's site."""

    server: Name
    url: HttpUrl
    has: tuple[RootHex, ...] = ()
    """Roots of these orders that it holds in full; others can be had in part, or later."""


class RootTicket(Part):
    """What opens one root, and the chunks below it, at the sources."""

    root: RootHex
    ticket: str
    """A secret until it ends."""


class Rate(Part):
    """What fetching may take of a computer's line, by the time of day where the computer is."""

    between: Annotated[str, Field(pattern=r"^\d\d:\d\d-\d\d:\d\d$")]
    rate: Bytes
    """Bytes a second; 0 for nothing at all."""


class Orders(Message):
    """What should be on one computer; signed text within ``SignedOrders``."""

    farm: UUID
    computer: UUID
    epoch: Annotated[int, Field(ge=0)] = 0
    """Raised when the farm was restored from a backup; counts before the generation."""
    generation: Annotated[int, Field(ge=1)]
    """Orders of a lower epoch and generation than those in force are refused."""
    issued_at: UnixSeconds
    state: ComputerState
    erases: bool = False
    """The computer is lost or stolen: machines, users' data, keys and the engine's store go."""
    api_urls: tuple[HttpUrl, ...] = ()
    """Where to check in from now on: the relay of its site first."""
    certificate_authority: str = ""
    machines: tuple[MachineOrder, ...] = ()
    kit: KitOrder | None = None
    sources: tuple[Source, ...] = ()
    """Best first; the sole one where a relay should not be gone round."""
    tickets: tuple[RootTicket, ...] = ()
    not_yet: tuple[RootHex, ...] = ()
    """Roots that no source of this computer has in full yet: they are ready to be downloaded, and
    wait for their relay."""
    not_yet_until: UnixSeconds | None = None
    """When that is expected to end."""
    rate: Bytes | None = None
    """Bytes a second at the most outside the windows; none for no limit."""
    windows: tuple[Rate, ...] = ()
    check_in_seconds: Annotated[int, Field(ge=1)] = 300
    """How long to wait between check-ins; each engine adds its own jitter."""


class SignedOrders(Message):
    """The answer to a check-in, and how orders are kept on computers and relays."""

    orders: str
    """An :class:`Orders` as JSON text."""
    signature: Base64


class MachineState(StrEnum):
    """How far a computer is with the version that it was told to have."""

    READY_TO_DOWNLOAD = "ready-to-download"
    """It knows of it, and its source has not got it yet."""
    DOWNLOADING = "downloading"
    PAUSED = "paused"
    PREPARING = "preparing"
    WAITING_FOR_RESTART = "waiting-for-restart"
    """It is ready and is taken when the virtual machine starts the next time."""
    PROVING = "proving"
    """It was started and has not yet been healthy for long enough."""
    PROVEN = "proven"
    WENT_BACK = "went-back"
    """It did not prove itself: the one before is in its place, until somebody says to try again."""
    HELD = "held"
    """This engine cannot run it, or has no room for it; ``code`` says which."""
    FAILED = "failed"


class MachineReport(Part):
    """One virtual machine, as it is on a computer."""

    image: Name
    user: Name
    mode: MachineMode
    wanted: RootHex | None = None
    """What the orders in force say; none of a local one, and of one that is to go."""
    attempt: Count = 0
    state: MachineState
    done_bytes: Bytes = 0
    total_bytes: Bytes = 0
    rate: Bytes = 0
    """Bytes a second that come in for it now."""
    code: Code = ""
    """Why it is held, failed, or went back, in stable kebab case."""
    problem: Problem = ""
    """The same for people."""
    is_running: bool = False
    running: RootHex | None = None
    """Attested: the root that the disk it started from was verified against, not what it was told
    to start."""
    started_at: UnixSeconds | None = None
    """By the computer's clock, which may be wrong."""
    proven: RootHex | None = None
    """The last root that proved itself."""
    guest_tools: Release | None = None
    """As the guest itself says; none if it says nothing."""
    needs_tools_by_hand: bool = False
    """Its tools are older than the engine's, and are not updated without somebody."""
    is_healthy: bool | None = None
    """What its guest agent says now; none while it does not run."""
    starts: Annotated[int, Field(ge=0)] = 0
    boot_milliseconds: Annotated[int, Field(ge=0)] | None = None
    """From its last start to the first word of its guest agent."""
    postponed_until: UnixSeconds | None = None


class KitState(StrEnum):
    """How far a computer is with the release of the engine that it was told to run."""

    NONE = "none"
    READY_TO_DOWNLOAD = "ready-to-download"
    DOWNLOADING = "downloading"
    PAUSED = "paused"
    INSTALLING = "installing"
    INSTALLED = "installed"
    """In the other slot; it is taken by the engine's next start, which follows at once."""
    PROVING = "proving"
    CURRENT = "current"
    WENT_BACK = "went-back"
    FAILED = "failed"


class KitReport(Part):
    """The engine's own releases on a computer."""

    state: KitState = KitState.NONE
    release: Release
    """What runs."""
    running: RootHex | None = None
    """Attested: the root of the kit that it was started from; none of the release that came with
    the computer's package."""
    wanted: Release | None = None
    attempt: Count = 0
    done_bytes: Bytes = 0
    total_bytes: Bytes = 0
    code: Code = ""
    problem: Problem = ""


class Severity(StrEnum):
    """How much an event matters."""

    INFORMATION = "information"
    WARNING = "warning"
    ERROR = "error"


class EngineEvent(Part):
    """Something that happened on a computer since its last check-in that was heard."""

    number: Sequence
    """Counts up on this computer for ever: a repeated one is known."""
    at: UnixSeconds
    severity: Severity
    code: Code
    text: Problem
    image: Name | None = None


class CheckIn(Message):
    """What an engine says of its computer; signed text within ``SignedCheckIn``."""

    farm: UUID
    computer: UUID
    sequence: Sequence
    """Higher than in every check-in before, also over restarts; one that is not is refused."""
    sent_at: float
    """Seconds since 1970 by the computer's clock, which nobody relies on."""
    epoch: Count = 0
    generation: Count = 0
    """Of the orders in force; 0 for none."""
    engine: EngineFacts
    kit: KitReport
    machines: tuple[MachineReport, ...] = Field(default=(), max_length=256)
    events: tuple[EngineEvent, ...] = Field(default=(), max_length=256)
    erased: bool = False
    """It has erased itself, as it was told; the last that is heard of it."""


class SignedCheckIn(Message):
    """The body of ``POST /v1/computers/{id}/check-in``."""

    check_in: Annotated[str, Field(max_length=1 << 20)]
    """A :class:`CheckIn` as JSON text."""
    signature: Base64


class Signal(Message):
    """The answer to ``GET /v1/computers/{id}/signal?generation=N``, which waits for up to a minute.

    It says only that a check-in is worth while, so it is neither signed nor secret.
    """

    generation: Annotated[int, Field(ge=0)]
    """Of the newest orders; if higher than asked with, check in."""


def registration_message(text: str) -> bytes:
    """Give what the computer's key signs of a registration."""
    return _REGISTRATION + text.encode()


def check_in_message(text: str) -> bytes:
    """Give what the computer's key signs of a check-in."""
    return _CHECK_IN + text.encode()


def orders_message(text: str) -> bytes:
    """Give what the farm's key signs of orders."""
    return _ORDERS + text.encode()
