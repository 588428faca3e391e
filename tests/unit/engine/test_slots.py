"""The engine's own releases: two slots, health, and the way back; killed anywhere."""

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corral.engine.domain.orders import KitOrder
from corral.engine.domain.slots.plan import (
    EndAgent,
    Keep,
    KitSeen,
    KitStep,
    KitWaiting,
    LayOut,
    Refusal,
    next_kit_step,
)
from corral.engine.domain.slots.record import (
    DOES_NOT_START,
    NOT_HEALTHY,
    Kit,
    Slot,
    Slots,
    begin_start,
    overdue,
)
from corral.engine.domain.slots.stage import (
    KIT_TRANSITIONS,
    KitEvent,
    KitStage,
    KitTransitionError,
    next_kit_stage,
)


def root(number: int) -> str:
    return f"{number:064x}"


def kit(number: int, attempt: int = 0) -> KitOrder:
    return KitOrder("engine", f"{number}.0", root(number), 1, attempt)


PATIENCE = 8
"""Looks that a release on trial is given."""


@dataclass
class Computer:
    """Slots on a disk, the agent that runs from one, and what starts it."""

    order: KitOrder | None = None
    slots: Slots = field(default_factory=lambda: Slots(release="1.0"))
    dying: frozenset[str] = frozenset()
    """Releases that end before they can look."""
    sick: frozenset[str] = frozenset()
    """Releases that run and are never healthy."""
    deaf: frozenset[str] = frozenset()
    """Releases that do their work, and cannot read what a farm answers."""
    has_network: bool = True
    content: dict[Slot, str] = field(default_factory=lambda: {Slot.A: "1.0"})
    held: set[str] = field(default_factory=set)
    running: str | None = None
    boot: int = 1
    looks: int = 0

    def start(self) -> None:
        """As whatever starts agents does it: keep the record, then start from the slot."""
        laid_out = self.laid_out()
        self.slots = begin_start(self.slots, laid_out=laid_out, boot=str(self.boot))
        release = self.content[self.slots.active]
        self.running = None if release in self.dying else release
        self.looks = 0

    def laid_out(self) -> str | None:
        content = self.content.get(self.slots.active.other)
        return None if content is None else root(int(content.partition(".")[0]))

    def see(self) -> KitSeen:
        assert self.running is not None
        self.looks += 1
        healthy = self.running not in self.sick and self.looks > 2
        return KitSeen(
            running=self.running,
            is_here=self.slots.coming is not None and self.slots.coming.root in self.held,
            laid_out=self.laid_out(),
            is_healthy=healthy,
            was_heard=healthy and self.has_network and self.running not in self.deaf,
            is_cut_off=not self.has_network,
        )

    def step(self, *, dies: bool = False) -> KitStep:
        if self.slots.is_on_trial and self.looks > PATIENCE:
            self.slots = overdue(self.slots, 300.0)
            self.running = None
            return KitWaiting.PROOF
        step = next_kit_step(self.order, self.slots, self.see())
        match step:
            case Keep(slots):
                self.slots = slots
            case EndAgent():
                self.running = None
            case LayOut(wanted) if not dies:
                self.content[self.slots.active.other] = wanted.release
            case LayOut(_):
                self.content.pop(self.slots.active.other, None)
            case KitWaiting():
                pass
        if dies:
            self.running = None
        return step

    def settle(self) -> None:
        for _ in range(200):
            if self.running is None:
                self.start()
                continue
            if self.has_network and self.slots.coming is not None:
                self.held.add(self.slots.coming.root)
            self.step()

    def how(self) -> tuple[KitStage, str | None]:
        return self.slots.stage, self.running

    def restart(self) -> None:
        """Have the computer go off and on."""
        self.running = None
        self.boot += 1
        self.settle()


def test_a_release_is_laid_out_beside_taken_at_once_and_proven() -> None:
    """S55, S57, S58, S69-S73."""
    computer = Computer(kit(2))
    computer.settle()
    assert computer.how() == (KitStage.RESTING, "2.0")
    assert computer.slots.active is Slot.B
    assert computer.content == {Slot.A: "1.0", Slot.B: "2.0"}
    computer.order = kit(3)
    computer.settle()
    assert (computer.running, computer.content[Slot.B]) == ("3.0", "2.0")


@pytest.mark.parametrize(
    ("fault", "code"),
    [("dying", DOES_NOT_START), ("sick", NOT_HEALTHY), ("deaf", NOT_HEALTHY)],
)
def test_a_release_that_does_not_work_is_taken_back_and_held_until_told(
    fault: str, code: str
) -> None:
    computer = Computer(kit(2))
    setattr(computer, fault, frozenset({"2.0"}))
    computer.settle()
    assert computer.how() == (KitStage.WENT_BACK, "1.0")
    assert computer.slots.given_up is not None
    assert computer.slots.given_up.code == code
    computer.restart()
    assert computer.running == "1.0"
    setattr(computer, fault, frozenset())
    computer.order = kit(2, attempt=1)
    computer.settle()
    assert computer.how() == (KitStage.RESTING, "2.0")


def test_a_farm_that_is_out_of_reach_is_no_fault_of_a_release() -> None:
    """It stays in force while it does its work, over any number of restarts, and is proven late."""
    computer = Computer(kit(2), held={root(2)}, has_network=False)
    computer.settle()
    for _ in range(5):
        computer.restart()
        assert computer.how() == (KitStage.PROVING, "2.0")
    computer.has_network = True
    computer.settle()
    assert computer.slots.stage is KitStage.RESTING


def test_a_release_that_was_healthy_once_and_then_dies_again_and_again_is_taken_back() -> None:
    computer = Computer(kit(2), held={root(2)}, has_network=False)
    computer.settle()
    assert computer.slots.was_healthy
    computer.dying = frozenset({"2.0"})
    computer.running = None
    computer.settle()
    assert computer.how() == (KitStage.WENT_BACK, "1.0")


def test_what_was_laid_out_and_is_gone_again_is_not_started() -> None:
    slots = Slots(stage=KitStage.INSTALLED, coming=Kit("2.0", root(2)), release="1.0")
    assert begin_start(slots, laid_out=None, boot="1").stage is KitStage.INSTALLING
    assert begin_start(slots, laid_out=root(3), boot="1").active is Slot.A
    assert begin_start(slots, laid_out=root(2), boot="1").active is Slot.B


def test_both_slots_fail_and_nothing_goes_round_in_circles() -> None:
    computer = Computer(kit(2), dying=frozenset({"2.0"}))
    computer.start()
    while computer.slots.stage is not KitStage.PROVING:
        if computer.running is None:
            computer.start()
            continue
        computer.held.add(root(2))
        computer.step()
    computer.dying = frozenset({"1.0", "2.0"})
    for _ in range(12):
        computer.start()
    assert computer.how() == (KitStage.FAILED, None)
    assert computer.content[computer.slots.active] == "1.0"


def test_a_release_is_the_same_with_or_without_zeros_at_its_end() -> None:
    slots = Slots(release="2.0")
    step = next_kit_step(KitOrder("engine", "2", root(2), 1), slots, KitSeen(running="2.0.0"))
    assert step is KitWaiting.NOTHING


def test_a_kit_that_is_refused_leaves_what_runs() -> None:
    computer = Computer(kit(2), slots=Slots(release="1.0"))
    computer.slots = next_slots(computer, KitEvent.ORDERED, KitEvent.ARRIVED)
    refusal = Refusal(Kit("2.0", root(2)), "kit-untrusted", "nobody trusted has signed it")
    seen = KitSeen(running="1.0", is_here=True, refusal=refusal)
    step = next_kit_step(computer.order, computer.slots, seen)
    assert isinstance(step, Keep)
    assert step.slots.stage is KitStage.FAILED
    assert step.slots.given_up is not None
    again = next_kit_step(computer.order, step.slots, seen)
    assert again is KitWaiting.NOTHING


def next_slots(computer: Computer, *events: KitEvent) -> Slots:
    from corral.engine.domain.slots.record import Kit  # noqa: PLC0415 - of this helper

    slots = computer.slots
    for event in events:
        slots = slots.moved(event)
    return replace(slots, coming=Kit("2.0", root(2)))


def test_a_release_moves_only_as_the_table_says() -> None:
    assert {stage for stage, _ in KIT_TRANSITIONS} == set(KitStage)
    assert set(KIT_TRANSITIONS.values()) == set(KitStage)
    with pytest.raises(KitTransitionError):
        next_kit_stage(KitStage.RESTING, KitEvent.PROVED)


# A whole life is led for each example.
@settings(max_examples=min(1_500, settings().max_examples))
@given(
    acts=st.lists(
        st.tuples(
            st.sampled_from(["step", "step", "step", "die", "fetch", "order", "again", "line"]),
            st.integers(1, 3),
        ),
        max_size=60,
    ),
    dying=st.frozensets(st.sampled_from(["2.0", "3.0"])),
    sick=st.frozensets(st.sampled_from(["2.0", "3.0"])),
)
def test_whatever_happens_an_agent_that_works_runs_in_the_end(
    acts: list[tuple[str, int]], dying: frozenset[str], sick: frozenset[str]
) -> None:
    computer = Computer(dying=dying, sick=sick)
    computer.start()
    for act, number in acts:
        if computer.running is None:
            computer.start()
            continue
        match act:
            case "step" | "die":
                computer.step(dies=act == "die")
            case "fetch" if computer.slots.coming is not None:
                computer.held.add(computer.slots.coming.root)
            case "order":
                computer.order = kit(number)
            case "again" if computer.order is not None:
                computer.order = replace(computer.order, attempt=computer.order.attempt + 1)
            case "line":
                computer.has_network = not computer.has_network
            case _:
                pass
    computer.has_network = True
    for _ in range(6):
        computer.restart()
    assert computer.running is not None
    assert computer.running not in dying | sick
    assert computer.running == computer.slots.release
    if computer.order is not None and computer.order.release not in dying | sick:
        given_up = computer.slots.given_up
        is_held = given_up is not None and given_up.root == computer.order.root
        assert computer.running == computer.order.release or is_held
