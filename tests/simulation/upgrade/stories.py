"""Stories: an upgrade of a small farm, told line by line by what really happened in the simulator.

``python -m tests.simulation.upgrade.stories`` writes them anew; they are read in review.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from uuid import UUID

from corral.farm.domain.estate.server import ServerId, ServerName
from corral.farm.domain.upgrade.adoption import NotAdopted
from corral.farm.domain.upgrade.blueprint import Blueprint, Step
from corral.farm.domain.upgrade.explain import step_told
from corral.farm.domain.upgrade.inventory import SeenSchema
from corral.farm.domain.upgrade.plan import Plan
from corral.farm.domain.upgrade.policy import Policy
from corral.farm.domain.upgrade.state import UpgradeEvent, UpgradeState
from tests.simulation.upgrade import people, working
from tests.simulation.upgrade.farms import NEW_ENGINE, OLD_ENGINE
from tests.simulation.upgrade.machines import Machine
from tests.simulation.upgrade.records import Records
from tests.simulation.upgrade.world import Device, Worker, World
from tests.unit.farm.domain.upgrades import NEW, NEW_SCHEMA, OLD, OLD_FARM, farm

FOLDER: Final = Path(__file__).parent / "stories"
FACTS: Final = farm("2.0", schema=NEW_SCHEMA, oldest_relay="1.0")


def small_farm() -> World:
    """Give three servers, a relay, and three devices that every server could serve."""
    everything = frozenset({"debian", "windows"})
    machines = [
        Machine(
            ServerId(UUID(int=number)),
            ServerName(name),
            is_relay=name.startswith("r"),
            release=OLD,
            installed=frozenset({OLD}),
            staged=frozenset({OLD, NEW}),
            holds=everything,
        )
        for number, name in enumerate(("s1", "s2", "s3", "r1"), 1)
    ]
    devices = {
        f"pc{number}": Device(f"pc{number}", "debian", machines[number - 1].id)
        for number in (1, 2, 3)
    }
    records = Records(Policy(OLD, NEW, UpgradeState.RUNNING), SeenSchema("0031", "0031"))
    world = World(
        FACTS,
        (OLD_FARM, FACTS, OLD_ENGINE, NEW_ENGINE),
        records,
        {one.id: one for one in machines},
        devices,
        (Worker("w1"), Worker("w2")),
    )
    for one in machines:
        world.tick(one)
    people.back_up(world)
    return world


@dataclass
class Story:
    """One, as it is told."""

    world: World = field(default_factory=small_farm)
    lines: list[str] = field(default_factory=list)
    _said: str = ""

    def say(self, what: str) -> None:
        self.lines.append(f"{self.world.now:5}  {what}")

    def chapter(self, title: str) -> None:
        self.lines += ["", f"## {title}", ""]

    def machine(self, name: str) -> Machine:
        return self.world.named(name)

    def told(self, step: Step) -> str:
        names: dict[object, ServerName] = {one.id: one.name for one in self.world.machines.values()}
        return step_told(step, names)

    def everybody(self) -> None:
        """Let a second pass, in which everybody but the workers' planning does what it does."""
        world = self.world
        world.now += 1
        working.change_schema(world)
        working.read_canary(world)
        for machine in world.machines.values():
            before = {name: one.place for name, one in world.devices.items()}
            running, installed = machine.release, machine.installed
            world.leave(machine)
            world.tick(machine)
            self._moved(before)
            if machine.release != running:
                self.say(f"{machine.name} runs {machine.release}")
            elif machine.installed != installed:
                self.say(f"{machine.name} has {NEW} beside what runs")

    def _moved(self, before: Mapping[str, ServerId | None]) -> None:
        names = {one.id: str(one.name) for one in self.world.machines.values()}
        for name, device in self.world.devices.items():
            place = before[name]
            if place != device.place:
                here = "nowhere" if device.place is None else names[device.place]
                there = "nowhere" if place is None else names[place]
                self.say(f"{name} reads from {here}, no more from {there}")

    def work(self, number: int = 0) -> Blueprint | NotAdopted | None:
        """Let a worker look, plan and adopt."""
        worker = self.world.workers[number]
        working.look(self.world, worker)
        self.heard(working.decide(self.world, worker))
        return self.adopted(number)

    def adopted(self, number: int) -> Blueprint | NotAdopted | None:
        world, worker = self.world, self.world.workers[number]
        state = world.records.policy.state
        event = None if worker.plan is None else worker.plan.event
        evidence = "" if worker.plan is None else worker.plan.evidence
        came = working.adopt(world, worker)
        if isinstance(came, Blueprint):
            self.say(f"{worker.name}: {self.told(came.step)}, because {came.evidence}")
        elif isinstance(came, NotAdopted):
            self.say(f"{worker.name} wanted to, and was refused: {came}")
        elif world.records.policy.state is not state:
            self.say(
                f"{worker.name}: {event}, because {evidence}: it is {world.records.policy.state}"
            )
        return came

    def heard(self, came: Plan | None) -> None:
        """Tell what the planner said is in the way, when that has changed."""
        if came is None or came.step is not None or came.event is not None:
            return
        told = [
            f"{one.message} ({one.what.obstacle.code})" for one in (*came.blocked, *came.waits_for)
        ]
        said = "; ".join(told[:3]) + ("; …" if len(told) > 3 else "")
        if said != self._said and said:
            self.say(f"nothing is begun: {said}")
        self._said = said

    def go_on(self, until: Callable[[], bool], most: int = 80) -> None:
        """Let everybody work until something is so."""
        for _ in range(most):
            self.everybody()
            self.work()
            if until():
                return
        raise AssertionError(self.lines[-5:])

    def until(self, state: UpgradeState) -> None:
        self.go_on(lambda: self.world.records.policy.state is state)

    def soaked(self) -> None:
        def soaks() -> bool:
            return self.world.records.policy.runs_since is not None

        self.go_on(soaks)
        working.soaked(self.world)
        self.say("an hour has passed")

    def person(self, event: UpgradeEvent) -> None:
        assert working.take(self.world, event)
        self.say(f"a person: {event}")

    def end(self) -> str:
        releases = ", ".join(f"{one.name} {one.release}" for one in self.world.machines.values())
        self.say(f"{releases}; schema {self.world.records.schema.step}")
        assert self.world.broken == []
        return "\n".join(self.lines).strip() + "\n"


def smooth() -> str:
    story = Story()
    story.chapter("From 1.0 to 2.0, and nobody noticed")
    story.soaked()
    story.until(UpgradeState.AWAITING_FINALISE)
    story.person(UpgradeEvent.FINALISE)
    story.until(UpgradeState.DONE)
    return story.end()


def half_way() -> str:
    story = Story()
    story.chapter("The second server does not get along with 2.0")
    story.machine("s3").stuck = frozenset({NEW})
    story.machine("s2").stuck = frozenset({NEW})
    story.until(UpgradeState.PAUSED)
    story.everybody()
    story.work()
    story.chapter("Back")
    story.person(UpgradeEvent.ROLL_BACK)
    story.until(UpgradeState.ROLLED_BACK)
    story.chapter("Again, after somebody has looked at it")
    people.repair(story.world)
    world = story.world
    world.records.history.clear()
    working.set_policy(world, Policy(OLD, NEW, UpgradeState.RUNNING))
    story.say("a person: a new upgrade to 2.0")
    story.soaked()
    story.until(UpgradeState.AWAITING_FINALISE)
    return story.end()


def crash() -> str:
    story = Story()
    story.chapter("A server that is drained loses a peer")
    s1, s2 = story.machine("s1"), story.machine("s2")

    story.go_on(lambda: bool(story.world.records.draining))
    story.everybody()
    story.everybody()
    s2.is_up = False
    before = {name: one.place for name, one in story.world.devices.items()}
    story.say("s2 loses its power")
    story.world.stop_serving(s2, "a crash")
    story._moved(before)  # noqa: SLF001
    story.world.now += 6
    story.go_on(lambda: not s1.is_draining)
    story.go_on(lambda: story._said != "")  # noqa: SLF001
    story.say("s2 is back")
    s2.is_up = True
    story.chapter("The drained one itself crashes after its switch")
    story.go_on(lambda: s1.release == NEW)
    s1.is_up = False
    story.say("s1 loses its power")
    story.world.now += 6
    for _ in range(3):
        story.everybody()
        story.work()
    s1.is_up = True
    story.say("s1 is back")
    story.soaked()
    story.until(UpgradeState.AWAITING_FINALISE)
    return story.end()


def two_workers() -> str:
    story = Story()
    story.chapter("Two workers plan at once")
    world = story.world
    for number in range(3):
        story.everybody()
        for worker in world.workers:
            working.look(world, worker)
            working.decide(world, worker)
        story.adopted(number % 2)
        story.adopted(1 - number % 2)
    story.chapter("One of them is slow, and plans on what it saw long ago")
    slow = world.workers[1]
    working.look(world, slow)
    working.decide(world, slow)
    story.go_on(lambda: bool(world.records.draining))
    story.adopted(1)
    story.chapter("One dies after it has adopted a step, the other one goes on")
    story.go_on(lambda: any(one.release == NEW for one in world.servers))
    world.workers[0].seen = None
    story.say("w1 is killed")
    for _ in range(4):
        story.everybody()
        story.work(1)
    return story.end()


STORIES: Final[Mapping[str, Callable[[], str]]] = {
    "smooth": smooth,
    "half-way": half_way,
    "crash": crash,
    "two-workers": two_workers,
}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, tell in STORIES.items():
        (FOLDER / f"{name}.txt").write_text(tell(), encoding="utf-8")


if __name__ == "__main__":
    main()
