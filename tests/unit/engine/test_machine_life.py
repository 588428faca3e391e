"""Whatever happens to a computer, and wherever it is killed: a working machine, a true status."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.engine.world import ABILITIES, World, order, version

from corral.engine.domain.machine.plan import GOES_IN_CIRCLES
from corral.engine.domain.machine.power import seconds_to_restart
from corral.engine.domain.machine.record import Mode, Wish
from corral.engine.domain.machine.seen import Abilities, Power, Seen
from corral.engine.domain.machine.stage import AT_REST, MAXIMUM_LAPS, TRANSITIONS, Event, Stage
from corral.engine.domain.machine.steps import Become, StartMachine, Wait, Waiting
from corral.engine.domain.report import MachineState, report

pytestmark = pytest.mark.thorough


def root(number: int) -> str:
    return version(number).root


def test_the_first_version_starts_before_it_has_arrived_and_is_proven_once_it_has() -> None:
    world = World.new()
    for _ in range(20):
        step = world.next_step()
        world.act(step)
        if isinstance(step, StartMachine):
            break
    assert world.runs == root(1)
    assert world.held == set()
    world.pass_time(500)
    for _ in range(5):
        world.act(world.next_step())
    assert world.stage is Stage.PROVING, "a version that is still coming is not judged"
    world.settle()
    assert (world.stage, world.runs) == (Stage.PROVEN, root(1))


def test_a_version_that_is_still_coming_is_not_judged_by_a_guest_that_waits_for_it() -> None:
    world = World.new()
    world.broken = frozenset({root(1)})
    for _ in range(30):
        world.act(world.next_step())
        world.pass_time(30)
    assert (world.stage, world.runs) == (Stage.PROVING, root(1))
    world.fetch()
    world.act(world.next_step())
    assert world.stage is Stage.FAILED


def test_what_runs_from_another_version_proves_nothing() -> None:
    """The disk says what it is over, whatever was ordered."""
    world = World.new()
    world.fetch()
    while world.process is None:
        world.act(world.next_step())
    world.process.root = root(9)
    world.settle(100)
    assert world.stage is Stage.PROVING
    assert world.record.proven is None


def test_a_new_version_is_prepared_beside_the_running_one_and_taken_at_the_restart() -> None:
    """S54, S58."""
    world = World.new()
    world.settle()
    world.order = order(2)
    world.settle()
    assert (world.stage, world.runs) == (Stage.READY, root(1))
    assert world.next_step() == Wait(Waiting.RESTART)
    world.record = replace(world.record, restarts=True)
    world.settle()
    assert (world.stage, world.runs) == (Stage.PROVEN, root(2))
    world.collect()
    assert world.held == {root(2)}


def test_a_version_that_does_not_prove_itself_is_taken_back_and_held_until_told() -> None:
    world = World.new()
    world.settle()
    world.broken = frozenset({root(2)})
    world.order = order(2)
    world.settle()
    world.record = replace(world.record, restarts=True)
    world.settle()
    assert (world.stage, world.runs) == (Stage.WENT_BACK, root(1))
    assert world.record.given_up is not None
    said = report(world.order, world.record, world.look(), {}, ABILITIES)
    assert (said.state, said.code, said.running) == (
        MachineState.WENT_BACK,
        "not-healthy",
        root(1),
    )
    assert world.history.count(root(2)) == 1
    world.collect()
    assert root(2) not in world.held
    world.broken = frozenset()
    world.order = order(2, attempt=1)
    world.settle()
    world.record = replace(world.record, restarts=True)
    world.settle()
    assert (world.stage, world.runs) == (Stage.PROVEN, root(2))
    assert world.record.given_up is None


def test_a_version_whose_process_dies_at_once_is_taken_back_after_three_starts() -> None:
    world = World.new()
    world.settle()
    world.dead = frozenset({root(2)})
    world.order = order(2)
    world.settle()
    world.record = replace(world.record, restarts=True)
    world.settle()
    assert (world.stage, world.runs) == (Stage.WENT_BACK, root(1))
    assert world.history.count(root(2)) == 3


def test_a_first_version_that_is_not_healthy_is_left_running_and_said_to_have_failed() -> None:
    world = World.new()
    world.broken = frozenset({root(1)})
    world.settle()
    assert (world.stage, world.runs) == (Stage.FAILED, root(1))
    world.broken = frozenset()
    world.settle()
    assert world.stage is Stage.PROVEN


def test_a_custom_machine_keeps_its_base_whatever_is_ordered() -> None:
    """S37: later versions do not reach it."""
    world = World.new(Mode.CUSTOM)
    world.settle()
    world.order = order(2)
    world.record = replace(world.record, restarts=True)
    world.settle()
    assert (world.stage, world.runs) == (Stage.PROVEN, root(1))
    assert set(world.history) == {root(1)}


def test_what_a_guest_switches_off_stays_off_and_what_it_restarts_is_fresh() -> None:
    world = World.new()
    world.settle()
    world.order = order(2)
    world.settle()
    assert world.process is not None
    world.process.was_reset = True
    world.settle()
    assert (world.stage, world.runs) == (Stage.PROVEN, root(2))
    world.process.power = Power.SHUT_DOWN
    world.settle()
    assert world.runs is None
    assert world.record.wish is Wish.STOPPED


def test_a_suspended_machine_goes_on_after_the_computer_was_off() -> None:
    world = World.new()
    world.settle()
    world.record = replace(world.record, wish=Wish.SUSPENDED)
    world.settle()
    assert world.runs is None
    assert world.saved_memory
    world.cut_power()
    world.settle()
    assert world.process is None
    world.ask_to_run()
    step = world.next_step()
    assert isinstance(step, StartMachine)
    assert not step.is_fresh
    world.settle()
    assert world.history == [root(1), root(1)]
    assert not world.record.is_suspended


def test_what_the_disk_process_does_not_offer_is_neither_started_nor_resumed() -> None:
    world = World.new()
    world.settle()
    world.process = None
    world.held.clear()
    world.has_network = False
    for is_suspended in (False, True):
        world.record = replace(world.record, is_suspended=is_suspended, start=None)
        assert world.next_step() == Wait(Waiting.DISK_PROCESS)


def test_what_ran_when_the_computer_went_off_waits_unless_somebody_has_asked_since() -> None:
    for asks in (False, True):
        world = World.new()
        world.settle()
        world.cut_power()
        if asks:
            world.ask_to_run()
        world.settle()
        assert (world.process is not None) == asks


def test_a_machine_that_is_not_ordered_any_more_goes_when_its_user_has_left_it() -> None:
    world = World.new()
    world.settle()
    world.order = None
    world.settle(20)
    assert world.next_step() == Wait(Waiting.USER)
    assert world.process is not None
    world.process.power = Power.SHUT_DOWN
    world.settle()
    assert world.removed


def test_a_restart_comes_when_its_user_can_put_it_off_no_longer() -> None:
    world = World.new()
    world.settle()
    policy = replace(world.record.policy, postpone_seconds=3600)
    world.order = replace(order(2), policy=policy)
    world.settle(6)
    world.record = replace(world.record, postponed_seconds=3000)
    world.pass_time(2000)
    assert world.next_step() == Wait(Waiting.RESTART)
    left = seconds_to_restart(world.record, world.moment)
    assert left is not None
    assert 0 < left <= 1000
    world.pass_time(1000)
    world.settle()
    assert world.runs == root(2)


def test_what_goes_in_circles_is_stopped_by_the_counter() -> None:
    world = World.new()
    world.settle()
    world.order = order(2)
    world.record = replace(
        world.record.ordered(version(2)), laps=MAXIMUM_LAPS + 1, wish=Wish.RUNNING
    )
    world.settle()
    given_up = world.record.given_up
    assert given_up is not None
    assert (given_up.root, given_up.code) == (root(2), GOES_IN_CIRCLES)
    assert (world.stage, world.runs) == (Stage.PROVEN, root(1))
    said = report(world.order, world.record, world.look(), {}, ABILITIES)
    assert (said.state, said.code) == (MachineState.WENT_BACK, GOES_IN_CIRCLES)


def test_every_stage_can_be_reached_and_left() -> None:
    reached = set(TRANSITIONS.values()) | {Stage.EMPTY}
    left = {stage for stage, _ in TRANSITIONS}
    assert reached == left == set(Stage)
    assert {event for _, event in TRANSITIONS} == set(Event)


@pytest.mark.parametrize(
    ("mode", "inside", "brought", "by_hand"),
    [
        (Mode.CUSTOM, "1.9", "1.10", True),
        (Mode.LOCAL, "1.9", "1.10", True),
        (Mode.SHARED, "1.9", "1.10", False),
        (Mode.CUSTOM, "1.10", "1.10", False),
        (Mode.CUSTOM, None, "1.10", False),
        (Mode.CUSTOM, "1.9", None, False),
    ],
)
def test_machines_with_disks_of_their_own_and_older_tools_are_listed(
    mode: Mode, inside: str | None, brought: str | None, *, by_hand: bool
) -> None:
    """S37: exactly the custom and local ones."""
    machine = replace(World.new(mode).record, guest_tools=inside)
    said = report(None, machine, Seen(), {}, Abilities(guest_tools=brought))
    assert said.needs_tools_by_hand is by_hand


ACTS = st.sampled_from(
    [
        *(["step"] * 6),
        "step and die",
        "fetch",
        "collect",
        "wait",
        "wait long",
        "power cut",
        "agent killed",
        "process killed",
        "guest off",
        "guest restarts",
        "network off",
        "network on",
        "order",
        "order again",
        "start",
        "stop",
        "suspend",
        "restart",
        "chunks lost",
    ]
)


def happen(  # noqa: C901, PLR0912 - one case for each thing that happens
    world: World, act: str, number: int
) -> None:
    match act:
        case "step" | "step and die":
            world.act(world.next_step(), dies=act == "step and die")
        case "fetch":
            world.fetch()
        case "collect":
            world.collect()
        case "wait" | "wait long":
            world.pass_time(7.0 if act == "wait" else 130.0)
        case "power cut":
            world.cut_power()
        case "agent killed":
            world.listening_since = world.now
        case "process killed":
            world.process = None
        case "guest off" if world.process is not None:
            world.process.power = Power.SHUT_DOWN
        case "guest restarts" if world.process is not None:
            world.process.was_reset = True
        case "network off" | "network on":
            world.has_network = act == "network on"
        case "order":
            world.order = order(number)
        case "order again":
            assert world.order is not None
            given = world.order.version
            world.order = replace(world.order, version=replace(given, attempt=given.attempt + 1))
        case "start":
            world.ask_to_run()
        case "stop" | "suspend":
            wish = Wish.STOPPED if act == "stop" else Wish.SUSPENDED
            world.record = world.record.wishing(wish, world.moment)
        case "restart":
            world.record = replace(world.record, restarts=world.process is not None)
        case "chunks lost":
            world.held.clear()
        case _:
            pass


# A whole life is led for each example.
@settings(max_examples=min(1_500, settings().max_examples))
@given(
    acts=st.lists(st.tuples(ACTS, st.integers(1, 4)), max_size=60),
    broken=st.frozensets(st.integers(2, 4)),
    dead=st.frozensets(st.integers(2, 4)),
    mode=st.sampled_from([Mode.SHARED, Mode.CUSTOM]),
)
def test_it_always_ends_at_a_working_machine_and_a_true_status(
    acts: list[tuple[str, int]], broken: frozenset[int], dead: frozenset[int], mode: Mode
) -> None:
    world = World.new(mode)
    world.broken = frozenset(map(root, broken))
    world.dead = frozenset(map(root, dead))
    for act, number in acts:
        happen(world, act, number)
        if not world.removed:
            tells_the_truth(world)
    # From here on nothing goes wrong any more, and its user wants to work.
    world.has_network = True
    world.ask_to_run()
    world.settle()
    assert world.order is not None
    wanted = world.order.version.root
    bad = world.broken | world.dead
    tells_the_truth(world)
    if world.record.is_base_locked:
        assert world.runs == world.own_disk or world.own_disk in bad
        return
    world.record = replace(world.record, restarts=world.process is not None)
    world.settle()
    tells_the_truth(world)
    assert world.stage in AT_REST
    proven = world.record.proven
    if wanted not in bad:
        given_up = world.record.given_up
        is_held = given_up is not None and given_up.root == wanted
        assert world.runs == wanted or is_held
    if proven is not None and proven.root not in bad:
        assert world.runs is not None
        assert world.runs not in bad
    elif world.runs is not None:
        assert world.runs not in world.dead


def tells_the_truth(world: World) -> None:
    said = report(world.order, world.record, world.look(), {}, ABILITIES)
    is_on = world.process is not None and world.process.power in {Power.RUNNING, Power.PAUSED}
    assert said.is_running == is_on
    assert said.running == (world.runs if is_on else None)
    if said.state is MachineState.PROVEN and not world.record.is_base_locked:
        proven, current = world.record.proven, world.record.current
        assert proven is not None
        assert current is not None
        assert proven.root == current.root
    if said.state is MachineState.WENT_BACK:
        assert world.record.current is not None
        assert said.wanted != world.record.current.root


@pytest.mark.parametrize("stage", list(Stage))
def test_a_plan_exists_for_every_stage_and_power(stage: Stage) -> None:
    for power in Power:
        for number in (1, 2):
            world = World.new()
            world.record = replace(
                world.record,
                stage=stage,
                current=version(1),
                candidate=version(2),
                proven=version(1),
            )
            world.order = order(number)
            world.held = {root(1), root(2)}
            world.process = None
            step = world.next_step()
            assert step is not None
            assert isinstance(step, Wait | Become) or step.machine is not None, power
