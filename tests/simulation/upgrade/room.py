"""Servers with a limit of devices, and S21: a drain leaves each device room, also after a loss.

Whether there is room is found here in another way than the planner finds it.
"""

from random import Random

from corral.farm.domain.estate.server import ServerId
from tests.simulation.upgrade import promises
from tests.simulation.upgrade.machines import Machine
from tests.simulation.upgrade.world import World

NO_LIMIT = 1_000


def limit(world: World, random: Random) -> None:
    """Give servers limits, as if somebody had set them; none is over its own from the beginning."""
    for machine in world.servers:
        most = random.choice((1, 1, 2, 2, 3, None))
        if most is not None:
            machine.max_devices = max(most, len(world.on(machine.id)))
    world.changed()


def before_drain(world: World, machine: Machine) -> None:
    """S21, by what the farm knew."""
    if all(one.max_devices is None for one in world.servers):
        return
    records = world.records
    open_ones = [
        one
        for one in world.servers
        if one.id != machine.id
        and records.is_online(one.id, world.now)
        and one.id not in records.draining | records.maintenance
    ]
    places = _places(world)
    for lost in (None, *open_ones):
        rest = [one for one in open_ones if one is not lost]
        free = {one.id: _free(one, places) for one in rest}
        theirs = [name for name, at in places.items() if at not in free and at != machine.id]
        ours = [name for name, at in places.items() if at == machine.id]
        # Those that have no server already come first: it is not the drain that takes it from them.
        seated = _seated(world, [*theirs, *ours], free) - _seated(world, theirs, free)
        risk = f"devices-at-risk server {machine.name}"
        if seated < len(ours) and not (lost is not None and promises.is_accepted(world, risk)):
            when = "" if lost is None else f" once {lost.name} is lost"
            left = len(ours) - seated
            world.break_(f"S21 {machine.name} is drained, with no room for {left} devices{when}")


def _places(world: World) -> dict[str, ServerId]:
    said = sorted(world.records.reports.items(), key=lambda one: one[1].at)
    return {name: server for server, one in said for name in one.devices}


def _free(machine: Machine, places: dict[str, ServerId]) -> int:
    if machine.max_devices is None:
        return NO_LIMIT
    return max(0, machine.max_devices - sum(at == machine.id for at in places.values()))


def _seated(world: World, names: list[str], free: dict[ServerId, int]) -> int:
    """Give how many of them find a server, as many as can."""
    there: dict[ServerId, list[str]] = {server: [] for server in free}

    def seat(name: str, asked: set[ServerId]) -> bool:
        version = world.devices[name].version
        for server, room in free.items():
            if server in asked or version not in world.records.reports[server].holds:
                continue
            asked.add(server)
            if len(there[server]) < room:
                there[server].append(name)
                return True
            for number, other in enumerate(there[server]):
                if seat(other, asked):
                    there[server][number] = name
                    return True
        return False

    return sum(seat(name, set()) for name in names)
