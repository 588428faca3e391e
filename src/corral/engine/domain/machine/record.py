"""What is kept of one virtual machine: a value, written whole after each change."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from corral.engine.domain.machine.stage import AT_REST, Event, Stage, next_stage
from corral.engine.domain.machine.tools_record import ToolsUpdate  # noqa: TC001 - as below
from corral.engine.domain.moment import Moment  # noqa: TC001 - who keeps records reads the types


class Mode(StrEnum):
    """What becomes of what a machine writes to its system disk."""

    SHARED = "shared"
    CUSTOM = "custom"
    LOCAL = "local"


class Wish(StrEnum):
    """What its user wants of it."""

    RUNNING = "running"
    STOPPED = "stopped"
    SUSPENDED = "suspended"


@dataclass(frozen=True, order=True)
class MachineKey:
    """A virtual machine: an image, for one user."""

    image: str
    user: str

    def __str__(self) -> str:
        return f"{self.image}@{self.user}"


@dataclass(frozen=True)
class Version:
    """A version of an image, as the farm ordered it."""

    name: str
    root: str
    size_bytes: int
    attempt: int = 0
    image_format: int = 1
    guest_tools: str | None = None

    def is_tried_anew(self, other: Version) -> bool:
        """Whether it is the same, and somebody said since to try it again."""
        return self.root == other.root and self.attempt > other.attempt


@dataclass(frozen=True)
class Policy:
    """How a machine is run, and how it takes a new version."""

    memory_mib: int = 1024
    processors: int = 1
    user_disk_bytes: int = 0
    prove_within_seconds: int = 600
    soak_seconds: int = 60
    postpone_seconds: int = 0
    starts_itself: bool = False


@dataclass(frozen=True)
class GivenUp:
    """A version that did not prove itself: not taken again under this attempt."""

    root: str
    attempt: int
    code: str
    problem: str


@dataclass(frozen=True)
class Start:
    """The last start of a machine."""

    moment: Moment
    at: int
    """By the wall clock, for people."""
    root: str | None
    """The version below its system disk."""
    is_resumed: bool = False


@dataclass(frozen=True)
class Machine:
    """One virtual machine. ``stage`` changes by ``moved`` alone."""

    key: MachineKey
    mode: Mode
    policy: Policy = field(default_factory=Policy)
    stage: Stage = Stage.EMPTY
    current: Version | None = None
    """What its system disk stands on from the next start on."""
    candidate: Version | None = None
    """What is to come."""
    proven: Version | None = None
    """The last that proved itself: what it goes back to."""
    given_up: GivenUp | None = None
    laps: int = 0
    """Moves since it was at rest."""
    code: str = ""
    problem: str = ""
    """Why it failed."""

    wish: Wish | None = None
    """None: nobody has said yet."""
    wished: Moment | None = None
    """When somebody said."""
    is_suspended: bool = False
    """What was in its memory lies in its disk."""
    tries: int = 0
    """Starts since its guest was last heard."""
    trouble: str = ""
    """Why the last start failed at once."""
    starts: int = 0
    start: Start | None = None
    """The start that is believed to run."""
    stopping: Moment | None = None
    """When it was asked to shut down."""
    restarts: bool = False
    """It is to be started again when it has stopped."""
    told: Moment | None = None
    """When its user was told of the version that is ready."""
    postponed_seconds: int | None = None
    """From ``told`` on, as long as the user wants the restart put off."""
    boot_milliseconds: int | None = None
    guest_tools: str | None = None
    """As its guest last said."""
    last_started_at: int | None = None
    disk_bytes: int = 0
    """The size of a local machine's own disk."""
    has_own_disk: bool = False
    """A custom one's disk was made: its base is locked."""
    tools: ToolsUpdate | None = None
    """Newer guest tools than those in its version."""

    def moved(self, event: Event) -> Machine:
        """Give what it becomes by ``event``; counts the laps that it takes."""
        stage = next_stage(self.stage, event)
        return replace(self, stage=stage, laps=0 if stage in AT_REST else self.laps + 1)

    def ordered(self, version: Version) -> Machine:
        """Have ``version`` come; what was not ordered before begins its laps anew."""
        moved = self.moved(Event.ORDERED)
        is_new = self.candidate is None or (self.candidate.root, self.candidate.attempt) != (
            version.root,
            version.attempt,
        )
        return replace(moved, candidate=version, laps=1 if is_new else moved.laps, told=None)

    def wishing(self, wish: Wish, now: Moment) -> Machine:
        """Have somebody want this of it; what did not start before is tried again."""
        return replace(self, wish=wish, wished=now, tries=0)

    @property
    def wants_to_run(self) -> bool:
        """Whether it is to be running now."""
        if self.wish is None:
            return self.policy.starts_itself
        return self.wish is Wish.RUNNING

    @property
    def is_base_locked(self) -> bool:
        """Whether later versions do not reach it."""
        return self.mode is Mode.CUSTOM and self.has_own_disk

    def needed_roots(self) -> frozenset[str]:
        """Give the versions that must stay on this computer for it."""
        kept = [self.current, self.candidate, None if self.is_base_locked else self.proven]
        running = {self.start.root} if self.start is not None and self.start.root else set()
        return frozenset({version.root for version in kept if version is not None} | running)
