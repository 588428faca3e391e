"""What the application needs of the world, in the engine's words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol
from uuid import UUID  # noqa: TC003 - who keeps a place reads its types

from corral.engine.domain.orders import Orders, Standing  # noqa: TC001 - as above

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from corral.engine.domain.fetching import Fetch
    from corral.engine.domain.journal import Entry, Notice
    from corral.engine.domain.machine.record import Machine, MachineKey
    from corral.engine.domain.machine.seen import Seen
    from corral.engine.domain.moment import Moment
    from corral.engine.domain.report import Report
    from corral.engine.domain.slots.report import KitReport


@dataclass(frozen=True)
class FarmPlace:
    """The farm that the computer belongs to, as it was told when it registered."""

    farm: UUID
    farm_name: str
    farm_public_key: str
    computer: UUID
    computer_name: str
    standing: Standing
    api_urls: tuple[str, ...]
    certificate_authority: str = ""


@dataclass(frozen=True)
class AskedRegistration:
    """What somebody wants this computer registered with."""

    url: str
    name: str
    code: str | None = field(default=None, repr=False)
    authority: str = ""
    """The farm's root certificate in PEM, by which its API is believed."""


@dataclass(frozen=True)
class Facts:
    """What this engine is and can do."""

    release: str
    architecture: str
    image_formats: tuple[int, ...]
    guest_tools: str | None
    has_kvm: bool
    memory_bytes: int
    disk_bytes: int
    disk_free_bytes: int


@dataclass(frozen=True)
class Status:
    """Everything that is known of this computer at one moment."""

    facts: Facts
    place: FarmPlace | None
    orders: Orders | None
    machines: Sequence[tuple[Machine, Seen, Report]]
    events: Sequence[Entry]
    kit: KitReport | None = None
    """The engine's own releases; None where nobody asked."""
    is_pausing: bool = False
    heard_at: int | None = None
    """When the farm last answered, by the computer's clock."""
    failures: int = 0
    problem: str = ""
    """Why the farm does not answer."""
    free_roots: int = 0


@dataclass(frozen=True)
class GivenOrders:
    """Orders as they came."""

    orders: Orders
    text: str
    signature: str
    is_signed: bool
    is_kept: bool = False
    """A relay gave them, which does not reach the farm: what was said is not heard there yet."""


@dataclass(frozen=True)
class Offer:
    """What the disk process offers, and what it cannot."""

    sizes: Mapping[str, int] = field(default_factory=dict)
    refused: Mapping[str, tuple[str, str]] = field(default_factory=dict)


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> Moment:
        """Give the moment by the clock that nobody can set."""

    def wall(self) -> float:
        """Give seconds since 1970, which may be wrong."""

    def minute_of_day(self) -> int:
        """Give the minute of the day where the computer is."""


class Randomness(Protocol):
    """Gives what nobody can foresee."""

    def fraction(self) -> float:
        """Give a number from 0 to 1."""


class Records(Protocol):
    """The state folder. What was written is there after a power cut, whole."""

    def machines(self) -> Mapping[MachineKey, Machine]:
        """Give all machines."""

    def keep_machine(self, machine: Machine) -> None:
        """Write one."""

    def forget_machine(self, key: MachineKey) -> None:
        """Remove one with everything that belongs to it; one that is not there is no error."""

    def place(self) -> FarmPlace | None:
        """Give the farm; None if the computer was never registered."""

    def keep_place(self, place: FarmPlace) -> None:
        """Write it."""

    def next_sequence(self) -> int:
        """Give a number that was never given before."""

    def events(self) -> Sequence[Entry]:
        """Give the events that the farm has not heard of."""

    def note(self, notice: Notice, at: int) -> None:
        """Write an event down."""

    def forget_events(self, up_to: int) -> None:
        """Drop those that the farm has heard of."""

    def is_pausing(self) -> bool:
        """Whether the user has paused all fetching."""

    def set_pausing(self, *, pauses: bool) -> None:
        """Keep the user's word."""

    def is_erasing(self) -> bool:
        """Whether the computer has begun to erase itself."""

    def begin_erasing(self) -> None:
        """Write that down before the first thing goes."""

    def erase_data(self) -> None:
        """Remove machines, the store and the orders."""

    def erase_identity(self) -> None:
        """Remove the key and everything else that is left."""


class OrdersFile(Protocol):
    """The orders in force."""

    def read(self, place: FarmPlace) -> GivenOrders | None:
        """Give them; None if there are none that can be read."""

    def keep(self, given: GivenOrders) -> None:
        """Write them as they came."""


class Farm(Protocol):
    """The farm's API."""

    def register(self, asked: AskedRegistration, facts: Facts) -> FarmPlace:
        """Register this computer; repeating it changes nothing."""

    def check_in(self, place: FarmPlace, status: Status, sequence: int) -> GivenOrders:
        """Say what is, and hear what should be."""

    def say_erased(self, place: FarmPlace, status: Status, sequence: int) -> None:
        """Say that this computer has erased itself."""

    def wait_for_signal(self, place: FarmPlace, generation: int) -> bool:
        """Wait until there are newer orders; False if the wait ended without."""


class Fetching(Protocol):
    """One fetch that goes on."""

    @property
    def done_bytes(self) -> int:
        """Plain bytes that are here."""

    @property
    def total_bytes(self) -> int:
        """Plain bytes of all; 0 until it is known."""

    @property
    def stored_bytes(self) -> int:
        """Bytes that have come."""

    def set_rate(self, bytes_a_second: int | None) -> None:
        """Take no more than this."""

    def cancel(self) -> None:
        """End it; what has come stays."""


class Chunks(Protocol):
    """The chunk store."""

    def is_open(self) -> bool:
        """Whether there is a store: only once the computer has a farm."""

    def held(self, roots: frozenset[str]) -> frozenset[str]:
        """Give those of which every chunk is here."""

    def carried(self, roots: frozenset[str]) -> frozenset[str]:
        """Give those that are in full on a medium which somebody put in."""

    def here(self) -> frozenset[str]:
        """Give all versions that are here in full."""

    def begin(self) -> Fetching:
        """Give the handle of a fetch to come."""

    def fetch(self, fetch: Fetch, handle: Fetching) -> int:
        """Fetch what is missing, and give the bytes that came; raises ``FetchFailedError``."""

    def remove(self, roots: frozenset[str]) -> None:
        """Forget versions."""

    def collect(self, kept: frozenset[str]) -> int:
        """Free what no version needs, and give the bytes that became free."""

    def free_bytes(self) -> tuple[int, int]:
        """Give the free bytes and all bytes of its file system."""


class Disks(Protocol):
    """The disk process."""

    def offer(self, wanted: Mapping[str, Fetch | None]) -> Offer:
        """Have it offer these and no others, and hear what it does offer.

        Returns at once; an empty offer if it does not answer, and has it started then.
        """


class Processes(Protocol):
    """The virtual machines' processes."""

    def look(self, machine: Machine) -> Seen:
        """Say what one does."""

    def start(self, machine: Machine, size_bytes: int, *, is_fresh: bool) -> None:
        """Start one; it is its own from then on. Raises ``ProcessFailedError``."""

    def shut_down(self, key: MachineKey) -> None:
        """Ask the guest to switch itself off."""

    def end(self, key: MachineKey) -> None:
        """End one at once."""

    def suspend(self, key: MachineKey) -> None:
        """Write what is in its memory into its disk, and halt it."""

    def go_on(self, key: MachineKey) -> None:
        """Let a halted one go on."""

    def install_tools(self, key: MachineKey) -> None:
        """Have its guest install the guest tools on the medium beside its disks; returns at once.

        Raises ``ProcessFailedError`` if its guest agent does not answer.
        """

    def make_disk(self, machine: Machine) -> None:
        """Make a local machine's own disk."""

    def snapshots(self, key: MachineKey) -> Sequence[str]:
        """Give the names of a machine's snapshots."""

    def take_snapshot(self, key: MachineKey, name: str) -> None:
        """Keep how its disks are, under a name."""

    def revert(self, key: MachineKey, name: str) -> None:
        """Have its disks be as they were."""
