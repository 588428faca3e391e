"""Newer guest tools on a shared machine: a layer over its version; killed anywhere."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.engine.world import KEY, POLICY, order, version

from corral.engine.adapters.guest_tools import newest_in
from corral.engine.domain.machine.plan import next_step
from corral.engine.domain.machine.record import Machine, Mode, Wish
from corral.engine.domain.machine.seen import Abilities, Installing, MachineOrder, Power, Seen
from corral.engine.domain.machine.stage import Stage
from corral.engine.domain.machine.steps import (
    AskToShutDown,
    EndProcess,
    InstallTools,
    RemoveMachine,
    StartMachine,
    Step,
    SuspendMachine,
    Wait,
)
from corral.engine.domain.machine.tools import TOOLS_FAILED, TOOLS_NOT_HEALTHY, TOOLS_NOT_UPDATED
from corral.engine.domain.machine.tools_record import ToolsStage
from corral.engine.domain.moment import Moment
from corral.engine.domain.releases import numbers_of
from corral.engine.domain.report import report

OLD = "1.0"


def with_tools(number: int, tools: str | None = OLD) -> MachineOrder:
    given = order(number)
    return replace(given, version=replace(given.version, guest_tools=tools))


def proven(tools: str | None = OLD, mode: Mode = Mode.SHARED) -> Machine:
    current = with_tools(1, tools).version
    machine = Machine(KEY, mode, POLICY, stage=Stage.PROVEN, wish=Wish.RUNNING)
    return replace(machine, current=current, proven=current, guest_tools=OLD)


@dataclass
class World:
    """A machine whose version works, its disks as the tools that are in each, and its guest."""

    record: Machine = field(default_factory=proven)
    order: MachineOrder = field(default_factory=lambda: with_tools(1))
    brings: str | None = "2.0"
    failing: frozenset[str] = frozenset()
    """Tools whose installation fails."""
    sick: frozenset[str] = frozenset()
    """Tools with which the guest never answers."""
    lying: frozenset[str] = frozenset()
    """Tools whose installation says that it went well, and did nothing."""
    system: str = OLD
    layers: set[str] = field(default_factory=set)
    contents: dict[str, str] = field(default_factory=dict)
    """What is in a layer: that which was in the system disk when it became one."""
    running: str | None = None
    has_medium: bool = False
    installing: Installing | None = None
    now: float = 0.0
    started: float = 0.0
    starts: int = 0

    @property
    def abilities(self) -> Abilities:
        return Abilities(guest_tools=self.brings)

    @property
    def stage(self) -> ToolsStage | None:
        return None if self.record.tools is None else self.record.tools.stage

    def look(self) -> Seen:
        held = frozenset({version(number).root for number in (1, 2)})
        seen = Seen(held_roots=held, served_roots=held)
        if self.running is None or self.record.current is None:
            return seen
        is_up = self.running not in self.sick and self.now > self.started + 5
        is_late = self.now > self.started + 40
        return replace(
            seen,
            power=Power.RUNNING,
            root=self.record.current.root,
            is_healthy=True if is_up else False if is_late else None,
            healthy_since=Moment("boot", self.started + 5) if is_up else None,
            guest_tools=self.running if is_up else None,
            installing=self.installing,
            installing_problem="the disk is full" if self.installing is Installing.FAILED else "",
        )

    def step(self, *, dies: bool = False) -> Step:
        seen, moment = self.look(), Moment("boot", self.now)
        step = next_step(self.order, self.record, seen, self.abilities, moment, 0)
        self.now += 5.0
        if isinstance(step, Wait):
            return step
        assert not isinstance(step, RemoveMachine | SuspendMachine)
        self.record = step.machine
        if dies:
            return step
        match step:
            case StartMachine(machine):
                self._start(machine)
            case InstallTools():
                assert self.brings is not None
                is_bad = self.brings in self.failing or not self.has_medium
                self.installing = Installing.FAILED if is_bad else Installing.DONE
                if not is_bad and self.brings not in self.lying:
                    self.system = self.brings
            case AskToShutDown() | EndProcess():
                self.running = None
            case _:
                pass
        return step

    def _start(self, machine: Machine) -> None:
        """As the adapter does it, of which a test of its own sees that it does."""
        tools = machine.tools
        stage = None if tools is None else tools.stage
        kept = set() if tools is None or tools.kept is None else {tools.kept}
        below = OLD
        if tools is not None and stage is ToolsStage.ON_TRIAL:
            if tools.release not in self.layers:
                self.contents[tools.release] = self.system
                self.layers.add(tools.release)
            kept.add(tools.release)
            below = self.contents[tools.release]
        elif tools is not None and tools.kept is not None and stage is not ToolsStage.INSTALLING:
            below = self.contents[tools.kept]
        self.layers &= kept
        self.system = self.running = below
        self.has_medium = stage is ToolsStage.INSTALLING
        self.installing, self.started = None, self.now
        self.starts += 1

    def settle(self) -> None:
        for _ in range(150):
            self.step()

    def restart(self) -> None:
        self.record = replace(self.record, restarts=True)
        self.settle()


def test_older_tools_are_brought_up_to_date_at_a_start_and_kept_at_the_next() -> None:
    """S3, S4: what was published with older tools runs on a newer engine, and gets its tools."""
    world = World()
    world.settle()
    assert (world.running, world.stage, world.starts) == ("2.0", ToolsStage.KEPT, 2)
    world.restart()
    assert (world.running, world.layers, world.starts) == ("2.0", {"2.0"}, 3)
    # Newer ones again, over the version alone.
    world.brings = "3.0"
    world.restart()
    assert (world.running, world.stage, world.starts) == ("3.0", ToolsStage.KEPT, 5)


@pytest.mark.parametrize("tools", ["2.0", "3.0", None])
def test_tools_that_are_as_new_or_not_known_are_left(tools: str | None) -> None:
    world = World(proven(tools), with_tools(1, tools))
    world.record = replace(world.record, guest_tools=tools)
    world.settle()
    assert (world.starts, world.record.tools) == (1, None)


def test_an_engine_that_brings_none_changes_none() -> None:
    world = World(brings=None)
    world.settle()
    assert (world.starts, world.record.tools) == (1, None)


def test_what_its_guest_said_of_this_version_counts_where_the_farm_does_not_know() -> None:
    world = World(proven(None), with_tools(1, None))
    world.settle()
    assert world.running == "2.0"


@pytest.mark.parametrize("mode", [Mode.CUSTOM, Mode.LOCAL])
def test_a_disk_of_its_own_is_not_touched_and_listed(mode: Mode) -> None:
    machine = proven(mode=mode)
    world = World(machine)
    world.settle()
    assert world.record.tools is None
    said = report(world.order, world.record, world.look(), {}, world.abilities)
    assert said.needs_tools_by_hand


@pytest.mark.parametrize(
    ("fault", "code"),
    [("failing", TOOLS_FAILED), ("sick", TOOLS_NOT_HEALTHY), ("lying", TOOLS_NOT_UPDATED)],
)
def test_tools_that_do_not_work_are_put_back_and_not_tried_again(fault: str, code: str) -> None:
    world = World()
    setattr(world, fault, frozenset({"2.0"}))
    world.settle()
    assert (world.running, world.stage) == (OLD, ToolsStage.GIVEN_UP)
    said = report(world.order, world.record, world.look(), {}, world.abilities)
    assert (said.code, said.needs_tools_by_hand) == (code, True)
    assert said.problem
    starts = world.starts
    world.restart()
    assert (world.running, world.starts) == (OLD, starts + 1)
    # Others are.
    world.brings = "2.1"
    world.restart()
    assert world.running == "2.1"


def test_it_is_put_back_to_the_tools_that_worked_before() -> None:
    world = World()
    world.settle()
    world.brings, world.sick = "3.0", frozenset({"3.0"})
    world.restart()
    assert (world.running, world.stage) == ("2.0", ToolsStage.GIVEN_UP)


def test_another_version_begins_without_the_layer() -> None:
    world = World()
    world.settle()
    world.order = with_tools(2, "2.0")
    world.restart()
    assert world.record.current is not None
    assert world.record.current.root == version(2).root
    assert (world.record.tools, world.layers, world.running) == (None, set(), OLD)


def test_nothing_is_installed_in_a_version_that_has_not_proven_itself() -> None:
    world = World(replace(proven(), stage=Stage.PROVING, proven=None))
    world.step()
    assert (world.starts, world.record.tools) == (1, None)


@settings(max_examples=min(800, settings().max_examples))
@given(
    acts=st.lists(st.sampled_from(["step", "step", "die", "off", "restart", "newer"]), max_size=60),
    sick=st.frozensets(st.sampled_from(["2.0", "3.0"])),
    failing=st.frozensets(st.sampled_from(["2.0", "3.0"])),
)
def test_whatever_is_killed_the_machine_works_in_the_end_and_says_which_tools_it_has(
    acts: list[str], sick: frozenset[str], failing: frozenset[str]
) -> None:
    world = World(sick=sick, failing=failing)
    for act in acts:
        match act:
            case "step" | "die":
                world.step(dies=act == "die")
            case "off":
                world.running = None
            case "newer":
                world.brings = "3.0"
            case _:
                world.record = replace(world.record, restarts=world.running is not None)
    # Whoever is killed three times at a start is taken for one that does not start, until asked.
    world.record = world.record.wishing(Wish.RUNNING, Moment("boot", world.now))
    world.settle()
    world.restart()
    assert world.running is not None
    assert world.running not in sick
    assert world.look().is_healthy
    assert world.record.stage is Stage.PROVEN
    tools = world.record.tools
    if tools is not None and tools.stage is ToolsStage.KEPT:
        assert world.running == tools.kept
    assert tools is None or tools.stage in {ToolsStage.KEPT, ToolsStage.GIVEN_UP}


def test_the_newest_medium_beside_a_release_is_the_one_that_it_brings(tmp_path: Path) -> None:
    for name in ("guest-tools-9.0.img", "guest-tools-10.0.img", "guest-tools-x.img", "other.img"):
        (tmp_path / name).touch()
    found = newest_in(tmp_path)
    assert found is not None
    assert numbers_of(found.release) == (10,)
    assert newest_in(tmp_path / "none") is None
