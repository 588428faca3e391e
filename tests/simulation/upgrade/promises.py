"""S6, S19, and what the check before an upgrade promises to have looked at (P1 to P6, P11)."""

from collections.abc import Iterator

from corral.farm.domain.library.compatibility import Allowed, laggards, may_upgrade
from corral.farm.domain.library.manifest import FarmManifest
from corral.farm.domain.library.release import Release
from corral.farm.domain.upgrade.blueprint import Step, StepKind
from tests.simulation.upgrade.machines import Machine
from tests.simulation.upgrade.records import at
from tests.simulation.upgrade.world import World

DAY = 24 * 3600
BEGINS = frozenset({StepKind.EXPAND, StepKind.DRAIN, StepKind.REST})
DISTURBS = BEGINS | {StepKind.SWITCH}


def is_accepted(world: World, risk: str) -> bool:
    now = at(world.now)
    return any(one.covers(risk, now) for one in world.records.policy.acceptances)


def before(world: World, step: Step) -> None:
    """Judge a step that disturbs somebody."""
    if not world.records.policy.state.leads_forward:
        found = _on_the_way_back(world)
    else:
        found = _on_the_way(world)
    for what in found:
        world.break_(what.replace("STEP", step.kind.value))
    if world.records.policy.state.leads_forward and step.kind is StepKind.DRAIN:
        _first_ones(world, step)


def is_taken(world: World, machine: Machine) -> bool:
    """Whether it says nothing of its release, and somebody has accepted that."""
    report = world.records.reports.get(machine.id)
    is_mute = report is not None and report.release is None
    return is_mute and is_accepted(world, f"release-unknown server {machine.name}")


def is_begun_by_hand(world: World, step: Step) -> bool:
    """Whether a server is switched that the upgrade has not drained."""
    kinds = [one.step.kind for one in world.records.history if one.step.server == step.server]
    is_server = step.server is not None and not world.machines[step.server].is_relay
    return step.kind is StepKind.SWITCH and is_server and StepKind.DRAIN not in kinds


def of_tasks(world: World, machine: Machine) -> None:
    """S19: no task is interrupted on a server that goes forward, but by who has accepted it."""
    if not world.records.policy.state.leads_forward:
        return
    for task in world.records.tasks:
        is_its_own = task.request.server == machine.name
        if is_its_own and not is_accepted(world, f"task-active task {task.number}"):
            world.break_(f"S19 {machine.name} is stopped while task {task.number} runs there")


def of_consoles(world: World) -> None:
    """P6: consoles that the new farm does not answer are upgraded before it is called complete."""
    said = world.facts.facts
    oldest = said.oldest_console if isinstance(said, FarmManifest) else None
    for one in world.records.consoles:
        behind = oldest is not None and (one.release is None or one.release < oldest)
        if behind and not is_accepted(world, f"consoles-behind console {one.who}"):
            world.break_(f"P6 complete while {one.who} has an older command line")


def _on_the_way_back(world: World) -> Iterator[str]:
    is_known = world.releases.farms.get(world.records.policy.old) is not None
    for name, engine in world.records.computers.items():
        is_ahead = engine is not None and str(engine.release) == "3.0"
        accepted = is_accepted(world, f"computers-ahead computer {name}")
        if is_known and is_ahead and not accepted:
            yield f"S6 STEP while {name} would not understand the farm"


def _on_the_way(world: World) -> Iterator[str]:
    records = world.records
    yield from _facts(world)
    yield from _clients(world)
    for one in records.findings:
        if not is_accepted(world, f"farm-unsound {one.thing}"):
            yield "P1 STEP while the farm check has found errors"
    for name in records.rollouts:
        if not is_accepted(world, f"rollout-under-way rollout {name}"):
            yield f"P1 STEP while rollout {name} is under way"
    if not any(one.step.kind in DISTURBS for one in records.history):
        yield from _at_the_beginning(world)


def _facts(world: World) -> Iterator[str]:
    if not isinstance(may_upgrade(world.records.policy.old, world.facts, world.known), Allowed):
        yield "P11 STEP, and a fact forbids it"
    said = world.facts.facts
    oldest = said.oldest_server if isinstance(said, FarmManifest) else None
    for one in world.servers:
        report = world.records.reports.get(one.id)
        running = None if report is None else report.release
        # Somebody may have brought all of them to what it directs.
        if oldest is not None and running is not None and running < oldest:
            yield f"P11 STEP, and the new release does not direct {one.name}"
    for behind in laggards(world.facts, world.records.computers.items()):
        if not is_accepted(world, f"computers-behind computer {behind.computer}"):
            yield f"S6 STEP while computer {behind.computer} could not follow"


def _clients(world: World) -> Iterator[str]:
    said = world.facts.facts
    oldest = said.oldest_target if isinstance(said, FarmManifest) else None
    if oldest is None:
        return
    for report in world.records.reports.values():
        for name in report.devices:
            client = world.records.targets.get(name)
            is_behind = client is None or client < oldest
            if is_behind and not is_accepted(world, f"targets-behind device {name}"):
                yield f"S6 STEP while the client of {name} is too old"


def _at_the_beginning(world: World) -> Iterator[str]:
    records = world.records
    for task in records.tasks:
        if not is_accepted(world, f"task-active task {task.number}"):
            yield f"P2 begun while task {task.number} is active"
    if records.backup is None or world.now - records.backup.taken > DAY:
        yield "P3 begun without a backup"
    for machine in world.machines.values():
        if _lacks(world, machine):
            yield f"P4 begun before {machine.name} has the release"


def _lacks(world: World, machine: Machine) -> bool:
    records = world.records
    silent = f"server-silent {'relay' if machine.is_relay else 'server'} {machine.name}"
    report = records.reports.get(machine.id)
    if report is None:
        return not is_accepted(world, silent)
    new = records.policy.new
    lacks = new not in report.installed and report.release != new
    return lacks and not is_accepted(world, silent)


def _first_ones(world: World, step: Step) -> None:
    policy = world.records.policy
    names = [one.name for one in world.servers if one.id == step.server]
    if names and names[0] not in policy.first:
        for one in world.servers:
            is_there = one.release == policy.new or _is_taken_to_run(world, one, policy.new)
            if one.name in policy.first and not is_there and not one.by_hand:
                world.break_(f"P5 {names[0]} before {one.name}, which was to be first")


def _is_taken_to_run(world: World, machine: Machine, release: Release) -> bool:
    """Whether somebody answers for one that is mute, and the upgrade left it at a release."""
    touched = world.records.touches.on(machine.id)
    ordered = 0 if touched.switch is None else touched.switch.generation
    has_obeyed = len(touched.may_run) == 1 or world.records.reports[machine.id].order >= ordered
    is_left_at = touched.may_run[:1] == (release,) and has_obeyed
    return is_left_at and is_taken(world, machine)
