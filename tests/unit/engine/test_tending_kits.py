"""What an agent does and says about its own releases, over a real folder of slots."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from tests.unit.engine.orders import COMPUTER, FARM

from corral.engine.adapters.slots_folder import SlotsFolder
from corral.engine.adapters.state_folder import StateFolder
from corral.engine.application.keeper import Keeper
from corral.engine.application.ports import GivenOrders
from corral.engine.application.tend_kit import StartedFrom, TendKit
from corral.engine.domain.errors import EngineError
from corral.engine.domain.failures import StateUnusableError
from corral.engine.domain.fetching import FetchState
from corral.engine.domain.moment import Moment
from corral.engine.domain.orders import KitOrder, Orders
from corral.engine.domain.report import Transfer
from corral.engine.domain.slots.errors import KitUntrustedError
from corral.engine.domain.slots.record import Kit, Slot
from corral.engine.domain.slots.report import KitState
from corral.engine.domain.slots.stage import KitStage

ROOT = "ab" * 32
ORDER = KitOrder("engine-2.0", "2.0", ROOT, 10)
LAUNCHED = StartedFrom("1.0", is_launched=True)


@dataclass
class Clock:
    """Goes when it is told."""

    seconds: float = 0.0

    def now(self) -> Moment:
        return Moment("boot", self.seconds)

    def wall(self) -> float:
        return self.seconds

    def minute_of_day(self) -> int:
        return 0


@dataclass
class Health:
    """How the agent does."""

    is_well: bool = True
    is_heard: bool = True
    is_alone: bool = False

    def does_its_work(self) -> bool:
        return self.is_well

    def was_heard(self) -> bool:
        return self.is_heard

    def is_cut_off(self) -> bool:
        return self.is_alone


@dataclass
class Held:
    """A store that has some versions, and is asked for nothing else."""

    roots: set[str] = field(default_factory=set)

    def is_open(self) -> bool:
        return True

    def held(self, roots: frozenset[str]) -> frozenset[str]:
        return roots & self.roots


@dataclass
class Computer:
    """An agent's part about releases, with an installer that does what a test wants."""

    path: Path
    started_from: StartedFrom = LAUNCHED
    fault: EngineError | None = None
    installed: list[Kit] = field(default_factory=list)
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        state = StateFolder(self.path)
        state.prepare()
        self.state, self.folder, self.store = state, SlotsFolder(self.path), Held()
        self.keeper = Keeper(state, state, self.clock)
        self.order(ORDER)
        self.begin()

    def begin(self) -> None:
        """Start an agent anew."""
        self.kit = TendKit(
            self.keeper,
            self.store,  # type: ignore[arg-type] # nothing else of a store is asked here
            self.folder,
            self.install,
            self.started_from,
            self.clock,
        )

    def order(self, kit: KitOrder | None) -> None:
        orders = Orders(FARM, COMPUTER, epoch=0, generation=1, kit=kit)
        self.keeper.follow(GivenOrders(orders, "{}", "", is_signed=True))

    def install(self, kit: Kit, slot: Slot) -> None:
        if self.fault is not None:
            raise self.fault
        self.folder.begin()
        self.folder.put(slot, kit)
        self.installed.append(kit)

    def codes(self) -> list[str]:
        return [event.notice.code for event in self.state.events()]

    def said(self, transfers: Mapping[str, Transfer] | None = None) -> tuple[KitState, str]:
        report = self.kit.report(transfers or {})
        return report.state, report.code


@pytest.fixture
def computer(tmp_path: Path) -> Computer:
    return Computer(tmp_path / "state")


def test_it_is_fetched_installed_and_the_agent_ends(computer: Computer) -> None:
    assert computer.kit(Health())
    some = Transfer(FetchState.FETCHING, 4, 10)
    assert computer.said({ROOT: some}) == (KitState.DOWNLOADING, "")
    assert computer.said({ROOT: replace(some, state=FetchState.NOT_YET)})[0] is (
        KitState.READY_TO_DOWNLOAD
    )
    assert computer.said({ROOT: replace(some, state=FetchState.PAUSED)})[0] is KitState.PAUSED
    computer.store.roots.add(ROOT)
    assert not computer.kit(Health()), "the agent goes on"
    assert computer.said() == (KitState.INSTALLED, "")
    assert computer.installed == [Kit("2.0", ROOT)]
    assert computer.folder.load().stage is KitStage.INSTALLED
    assert computer.codes() == ["kit-installed"]


def test_a_kit_that_is_refused_has_failed_until_somebody_says_to_try_again(
    computer: Computer,
) -> None:
    computer.store.roots.add(ROOT)
    computer.fault = KitUntrustedError("2.0", 1)
    assert computer.kit(Health())
    assert computer.said() == (KitState.FAILED, "kit-untrusted")
    assert computer.codes() == ["kit-untrusted"]
    computer.fault = None
    assert computer.kit(Health())
    assert not computer.installed
    computer.order(replace(ORDER, attempt=1))
    assert not computer.kit(Health())
    assert computer.installed == [Kit("2.0", ROOT, 1)]


def test_what_may_be_better_the_next_time_is_tried_again_after_a_while(computer: Computer) -> None:
    computer.store.roots.add(ROOT)
    computer.fault = StateUnusableError("slots", "no space left on device")
    assert computer.kit(Health())
    assert computer.said() == (KitState.INSTALLING, "state-unusable")
    computer.fault = None
    assert computer.kit(Health())
    assert not computer.installed, "it was tried again at once"
    computer.clock.seconds += 60.0
    assert not computer.kit(Health())
    assert computer.said() == (KitState.INSTALLED, "")


def test_an_agent_that_nobody_launched_says_why_it_changes_nothing(tmp_path: Path) -> None:
    computer = Computer(tmp_path / "state", StartedFrom("1.0"))
    computer.store.roots.add(ROOT)
    assert computer.kit(Health())
    assert computer.said() == (KitState.FAILED, "no-launcher")
    assert not computer.installed
    assert not computer.folder.record.exists()
    computer.order(None)
    assert computer.said() == (KitState.NONE, "")
    computer.order(replace(ORDER, release="1.0.0"))
    assert computer.said() == (KitState.CURRENT, "")


@pytest.mark.parametrize(
    ("health", "state", "was_healthy"),
    [
        (Health(), KitState.CURRENT, False),
        (Health(is_heard=False, is_alone=True), KitState.PROVING, True),
        # It hears a farm, and is not understood: that is no word of its health.
        (Health(is_heard=False), KitState.PROVING, False),
        (Health(is_well=False), KitState.PROVING, False),
    ],
)
def test_a_release_on_trial_says_of_itself_what_is_so(
    computer: Computer, health: Health, state: KitState, *, was_healthy: bool
) -> None:
    slots = replace(computer.folder.load(), stage=KitStage.PROVING, active=Slot.B, release="2.0")
    computer.folder.keep(replace(slots, coming=Kit("2.0", ROOT), tries=1, before="1.0"))
    computer.started_from = StartedFrom("2.0", is_launched=True, slot=Slot.B, root=ROOT)
    computer.begin()
    assert computer.kit(health)
    report = computer.kit.report({})
    assert (report.state, report.running, report.release) == (state, ROOT, "2.0")
    assert computer.folder.load().was_healthy is was_healthy
