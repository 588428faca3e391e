"""One random history: quiet rounds, rounds with something that happens in the middle, and an end.

Most of a history is rounds, because a fault tells most where something was just begun.
"""

from collections.abc import Callable
from random import Random
from typing import TypeAlias

from corral.farm.domain.upgrade.state import OVER, UpgradeEvent, UpgradeState
from tests.simulation.upgrade import faults, invariants, people, room, working
from tests.simulation.upgrade.farms import random_farm
from tests.simulation.upgrade.world import ALL_ON, GuardsOff, Worker, World

Fault: TypeAlias = Callable[[World, Random], None]
MOST_ROUNDS = 400
"""In which an upgrade has to end once faults have stopped."""


def quiet_round(world: World, worker: Worker, random: Random, fault: Fault | None = None) -> None:
    """Let everybody do what they do, with one thing happening between two of the acts."""
    moment = random.randrange(5) if fault is not None else -1

    def interrupt(now: int) -> None:
        if now == moment and fault is not None:
            fault(world, random)

    world.now += 1
    working.change_schema(world)
    working.read_canary(world)
    interrupt(0)
    for machine in world.machines.values():
        world.leave(machine)
        world.tick(machine)
    interrupt(1)
    working.look(world, worker)
    interrupt(2)
    working.decide(world, worker)
    interrupt(3)
    working.adopt(world, worker)
    interrupt(4)


def run(
    seed: int, off: GuardsOff = ALL_ON, actions: int | None = None, *, limits: bool = False
) -> World:
    """Play a history to its end; give the world with all that was broken.

    ``limits``: on a farm whose servers have limits of devices.
    """
    random = Random(seed)
    world = random_farm(random, off)
    if limits:
        room.limit(world, Random(f"limits of {seed}"))
    begin(world, random)
    count = random.randrange(8, 30) if actions is None else actions
    for _ in range(count):
        act(world, random)
        if world.broken:
            return world
        if world.records.policy.state in OVER:
            break
    end(world, random)
    invariants.at_the_end(world)
    return world


def begin(world: World, random: Random) -> None:
    """Let the upgrade get somewhere first, in some of the histories as far as it gets by itself."""
    for _ in range(random.choice((0, 0, 0, 15, 30, 60))):
        quiet_round(world, world.workers[0], random)
        working.look(world, world.workers[0])
        came = working.decide(world, world.workers[0])
        if came is not None and came.step is None and came.event is None:
            if world.records.policy.state is UpgradeState.AWAITING_FINALISE:
                return
            people.answer(world, came)
            working.soaked(world)


def act(world: World, random: Random) -> None:
    """Do one random thing."""
    worker = random.choice(world.workers)
    chance = random.random()
    if chance < 0.4:
        for _ in range(random.randrange(1, 5)):
            quiet_round(world, worker, random)
    elif chance < 0.85:
        quiet_round(world, worker, random, random.choice(faults.FAULTS))
    else:
        random.choice(faults.WISHES)(world, random)


def end(world: World, random: Random) -> None:
    """Stop all faults, have people answer, and demand that the upgrade ends (L1, L4, L5)."""
    if world.records.policy.state in OVER:
        return
    for machine in world.machines.values():
        people.revive(machine)
    people.make_whole(world)
    people.repair(world)
    wants_back = random.random() < 0.4
    for number in range(MOST_ROUNDS):
        state = world.records.policy.state
        if state in OVER or world.broken:
            break
        worker = world.workers[number % 2]
        quiet_round(world, worker, random)
        if wants_back and working.take(world, UpgradeEvent.ROLL_BACK):
            wants_back = False
        elif state is UpgradeState.AWAITING_FINALISE:
            working.take(world, UpgradeEvent.FINALISE)
        working.look(world, worker)
        came = working.decide(world, worker)
        if came is not None and came.step is None and came.event is None:
            people.answer(world, came)
            working.soaked(world)
    judge(world)


def judge(world: World) -> None:
    state = world.records.policy.state
    if world.broken:
        return
    if state not in OVER:
        worker = world.workers[0]
        for machine in world.machines.values():
            world.tick(machine)
        working.look(world, worker)
        came = working.decide(world, worker)
        told = [] if came is None else [one.risk for one in (*came.blocked, *came.waits_for)]
        law = "L1" if state.leads_forward else "L4"
        world.break_(f"{law} it is {state} after {MOST_ROUNDS} rounds without faults: {told}")
        return
    wanted = world.records.policy.wanted
    wrong = [one.name for one in world.machines.values() if one.release != wanted]
    out = [one.name for one in world.servers if one.id in world.records.draining]
    resting = [one.name for one in world.relays if one.is_resting]
    if wrong or out or resting:
        law = "L1" if state is UpgradeState.DONE else "L4"
        world.break_(f"{law} it is {state}, and {wrong + out + resting} are not as they should be")


def outcomes(seeds: range) -> list[tuple[int, str, list[str]]]:
    """Play the histories of some seeds; give how each ended, and what broke."""
    found = []
    for seed in seeds:
        world = run(seed)
        found.append((seed, world.records.policy.state.value, world.broken))
    return found
