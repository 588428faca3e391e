"""What people do to a simulated farm, on purpose or by mistake, and how they answer in the end."""

from dataclasses import replace
from datetime import timedelta
from random import Random

from corral.farm.domain.access.actor import THE_FARM
from corral.farm.domain.library.release import Release
from corral.farm.domain.task.number import TaskNumber
from corral.farm.domain.task.task import Task, TaskKind, TaskRequest
from corral.farm.domain.upgrade.acceptance import Acceptance
from corral.farm.domain.upgrade.assumed import engine_for
from corral.farm.domain.upgrade.blueprint import StepKind
from corral.farm.domain.upgrade.obstacle import Obstacle
from corral.farm.domain.upgrade.plan import Blocked, Plan
from corral.farm.domain.upgrade.state import UpgradeEvent
from tests.simulation.upgrade import working
from tests.simulation.upgrade.machines import Machine
from tests.simulation.upgrade.records import Backup, at
from tests.simulation.upgrade.world import World

GENERATIONS = 1_000_000
"""A restore raises the farm's generation above any that could have been counted to since."""


def back_up(world: World, *, is_read: bool = True) -> None:
    records = world.records
    kept = replace(records.copied(), backup=None)
    records.backup = Backup(world.now, records.schema.step, records.epoch, kept, is_read)
    world.changed()


def restore(world: World) -> bool:
    """Bring the records back to what the last backup has, in a new epoch."""
    backup = world.records.backup
    if backup is None:
        return False
    now = world.records
    records = backup.records.copied()
    records.epoch = now.epoch + 1
    records.generation = now.generation + GENERATIONS
    records.backup = backup
    world.records = records
    # Whatever servers did since then, the farm did not order it as far as it knows.
    world.foreign = {}
    for one in world.machines.values():
        report = records.reports.get(one.id)
        left = records.touches.on(one.id).may_run or (records.policy.old,)
        is_as_said = report is None or report.release in (None, one.release)
        if not is_as_said or one.release not in left:
            # Whatever it had said when the backup was made: what counts is where it was left.
            world.foreign[one.name] = one.release if one.release in left else left[0]
    world.drained_by_hand.clear()
    world.changed()
    return True


def accept(world: World, risk: str, hours: int = 240) -> None:
    policy = world.records.policy
    if any(one.risk == risk and one.covers(risk, at(world.now)) for one in policy.acceptances):
        return
    until = at(world.now) + timedelta(hours=hours)
    acceptance = Acceptance(risk, "ann", until, "she has looked", at(world.now))
    working.set_policy(world, replace(policy, acceptances=(*policy.acceptances, acceptance)))


def change_by_hand(world: World, machine: Machine, release: Release) -> bool:
    """Switch a machine without the farm: its devices are cut off, which nobody asked the farm."""
    if not machine.is_up or machine.release == release:
        return False
    world.stop_serving(machine, "a hand")
    world.foreign.setdefault(machine.name, machine.release)
    machine.release = release
    machine.installed |= {release}
    machine.is_ready = True
    machine.by_hand = True
    return True


def drain_by_hand(world: World, machine: Machine) -> bool:
    records = world.records
    if machine.is_relay or machine.id in records.draining:
        return False
    records.draining |= {machine.id}
    records.generation += 1
    # Nobody can tell it from one that the upgrade has drained and not let serve again since.
    kinds = (StepKind.DRAIN, StepKind.SERVE)
    ours = [one.step for one in records.history if one.step.server == machine.id]
    last = next((one.kind for one in reversed(ours) if one.kind in kinds), None)
    if last is not StepKind.DRAIN:
        world.drained_by_hand.add(machine.name)
    world.changed()
    return True


def undrain_by_hand(world: World, machine: Machine) -> bool:
    records = world.records
    if machine.id not in records.draining:
        return False
    records.draining -= {machine.id}
    records.generation += 1
    world.drained_by_hand.discard(machine.name)
    world.changed()
    return True


def maintain(world: World, machine: Machine, *, is_on: bool) -> bool:
    records = world.records
    if machine.is_relay or (machine.id in records.maintenance) is is_on:
        return False
    records.maintenance ^= {machine.id}
    records.generation += 1
    world.changed()
    return True


def answer(world: World, came: Plan, random: Random | None = None) -> bool:
    """Do what the first line asks for that anybody can do; give whether anything was done.

    With ``random``, some just accept whatever can be accepted.
    """
    for blocked in came.blocked:
        is_careless = random is not None and random.random() < 0.3
        if is_careless and blocked.can_be_accepted:
            accept(world, blocked.risk)
            return True
        if _end(world, blocked):
            return True
    return False


def _machine_of(world: World, thing: str) -> Machine | None:
    kind, _, name = thing.partition(" ")
    if kind not in ("server", "relay"):
        return None
    return next((one for one in world.machines.values() if one.name == name), None)


def _end(world: World, blocked: Blocked) -> bool:  # noqa: C901, PLR0912
    records = world.records
    obstacle, thing = blocked.what.obstacle, blocked.what.thing
    machine = _machine_of(world, thing)
    match obstacle:
        case Obstacle.UPGRADE_PAUSED | Obstacle.STEP_OVERDUE:
            repair(world)
            return working.take(world, UpgradeEvent.RESUME)
        case Obstacle.BACKUP_LACKING:
            back_up(world)
        case Obstacle.BACKUP_UNREAD if records.backup is not None:
            records.backup = records.backup._replace(is_read=True)
        case Obstacle.COMPUTERS_BEHIND:
            name = thing.removeprefix("computer ")
            records.computers[name] = engine_for(world.facts, world.known)
        case Obstacle.CONSOLES_BEHIND:
            records.consoles = ()
        case Obstacle.TASK_ACTIVE:
            records.tasks = ()
        case Obstacle.ROLLOUT_UNDER_WAY:
            records.rollouts = ()
        case Obstacle.FARM_UNSOUND:
            records.findings = ()
        case Obstacle.TARGETS_BEHIND:
            records.targets[thing.removeprefix("device ")] = records.policy.new
        case Obstacle.RELEASE_FORBIDDEN | Obstacle.SERVERS_BEHIND | Obstacle.SCHEMA_UNREADABLE:
            return working.take(world, UpgradeEvent.ROLL_BACK)
        case Obstacle.SERVER_SILENT if machine is not None:
            revive(machine)
            world.tick(machine)
        case Obstacle.SERVER_IN_MAINTENANCE if machine is not None:
            records.maintenance -= {machine.id}
        case Obstacle.KIT_NOT_STAGED | Obstacle.WAY_BACK_MISSING if machine is not None:
            policy = records.policy
            machine.staged |= {policy.old, policy.new}
            machine.full = False
        case Obstacle.SERVER_UNSUPERVISED if machine is not None:
            machine.is_supervised = True
        case Obstacle.RELEASE_NEWER if machine is not None:
            change_by_hand(world, machine, records.policy.wanted)
            accept(world, f"release-unordered {thing}")
        case Obstacle.DEVICES_STRANDED if machine is not None:
            make_whole(world)
        case Obstacle.ORDER_FAILED | Obstacle.CANARY_FAILED | Obstacle.SCHEMA_STEP_FAILED:
            repair(world)
            return working.take(world, UpgradeEvent.RESUME)
        case _ if blocked.can_be_accepted:
            accept(world, blocked.risk)
        case _:
            return False
    world.changed()
    return True


def repair(world: World) -> None:
    """Put right what keeps machines from doing what they are told."""
    world.is_database_full = False
    for machine in world.machines.values():
        machine.full = False
        machine.stuck = frozenset()
        machine.bad = frozenset()
        machine.staged |= {world.records.policy.old, world.records.policy.new}
    world.changed()


def make_whole(world: World) -> None:
    """Have every server hold everything, and take any number of devices."""
    for machine in world.servers:
        machine.max_devices = None
        machine.holds = frozenset(("debian", "windows"))
    world.changed()


def revive(machine: Machine) -> None:
    machine.is_up = True
    machine.is_cut = False
    machine.is_mute = False
    machine.is_ready = True
    machine.is_unwell = False


def a_task(world: World, random: Random) -> Task:
    server = random.choice((None, random.choice(world.servers).name))
    request = TaskRequest(TaskKind.SCRUB, "", THE_FARM, server=server)
    return Task(TaskNumber(7), request, at(world.now))
