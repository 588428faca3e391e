"""What a computer last said of itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.domain.computer.computer import ComputerId
    from corral.farm.domain.image.root import RootHash

EVENTS_KEPT: Final = 256
"""Of each computer, the newest."""


class MachineState(StrEnum):
    """How far a computer is with the version that it was told to have."""

    READY_TO_DOWNLOAD = "ready-to-download"
    DOWNLOADING = "downloading"
    PAUSED = "paused"
    PREPARING = "preparing"
    WAITING_FOR_RESTART = "waiting-for-restart"
    PROVING = "proving"
    PROVEN = "proven"
    WENT_BACK = "went-back"
    HELD = "held"
    FAILED = "failed"


class KitState(StrEnum):
    """How far a computer is with the release of the engine that it was told to run."""

    NONE = "none"
    READY_TO_DOWNLOAD = "ready-to-download"
    DOWNLOADING = "downloading"
    PAUSED = "paused"
    INSTALLING = "installing"
    INSTALLED = "installed"
    PROVING = "proving"
    CURRENT = "current"
    WENT_BACK = "went-back"
    FAILED = "failed"


class Severity(StrEnum):
    """How much an event matters."""

    INFORMATION = "information"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class SeenEngine:
    """What an engine is and can do."""

    release: str
    architecture: str = ""
    image_formats: tuple[int, ...] = ()
    guest_tools: str | None = None
    accelerator: str = "emulation"
    memory_bytes: int = 0
    disk_bytes: int = 0
    disk_free_bytes: int = 0


@dataclass(frozen=True)
class SeenMachine:
    """One virtual machine, as it is on a computer."""

    image: str
    user: str
    mode: str
    state: MachineState
    wanted: RootHash | None = None
    """What the orders in force there say."""
    attempt: int = 0
    done_bytes: int = 0
    total_bytes: int = 0
    rate: int = 0
    code: str = ""
    problem: str = ""
    is_running: bool = False
    running: RootHash | None = None
    """Attested: what the disk that it started from was verified against."""
    started_at: datetime | None = None
    proven: RootHash | None = None
    guest_tools: str | None = None
    needs_tools_by_hand: bool = False
    is_healthy: bool | None = None
    starts: int = 0
    boot_milliseconds: int | None = None
    postponed_until: datetime | None = None

    @property
    def runs(self) -> RootHash | None:
        """Give what it runs, or ran when it was last running: that which it has."""
        return self.running or self.proven


@dataclass(frozen=True)
class SeenKit:
    """The engine's own releases on a computer."""

    release: str
    state: KitState = KitState.NONE
    wanted: str | None = None
    attempt: int = 0
    done_bytes: int = 0
    total_bytes: int = 0
    code: str = ""
    problem: str = ""
    running: str | None = None
    """The root of the kit that it was started from; none of an engine that does not say."""


@dataclass(frozen=True)
class CheckIn:
    """What a computer says of itself."""

    computer_id: ComputerId
    sequence: int
    at: datetime
    """When the farm heard it."""
    engine: SeenEngine
    kit: SeenKit
    machines: tuple[SeenMachine, ...] = ()
    epoch: int = 0
    generation: int = 0
    """Of the orders in force there; 0 for none."""
    clock_offset_ms: int | None = None
    """The computer's clock minus the farm's; unknown of one that only registered."""
    address: str = ""
    """Where it came from."""

    def machine(self, image: str, user: str) -> SeenMachine | None:
        """Give what it says of one machine."""
        return next((one for one in self.machines if (one.image, one.user) == (image, user)), None)


@dataclass(frozen=True)
class ComputerNews:
    """Something that happened on a computer, as it tells it."""

    number: int
    """Counts up on that computer for ever."""
    at: datetime
    """By the computer's clock."""
    severity: Severity
    code: str
    text: str
    image: str | None = None


@dataclass(frozen=True)
class GivenOrders:
    """What a computer was last told."""

    computer_id: ComputerId
    generation: int
    """Rises when what they say changes."""
    digest: bytes
    """Of what they say."""
    changed_at: datetime
    """When this was first said."""
    given_at: datetime
    """When it was last said."""
    roots: frozenset[RootHash] = field(default_factory=frozenset)
    """What was to be there."""
