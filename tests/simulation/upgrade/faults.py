"""What happens to a simulated farm by itself, and what people want of it in the middle."""

from random import Random

from corral.farm.domain.check.finding import Finding, Kind
from corral.farm.domain.library.compatibility import EngineFacts
from corral.farm.domain.upgrade.inventory import SeenSchema
from corral.farm.domain.upgrade.state import UpgradeEvent
from tests.simulation.upgrade import people, working
from tests.simulation.upgrade.machines import Machine
from tests.simulation.upgrade.world import World
from tests.unit.farm.domain.upgrades import NEW, OLD, release

OLD_HEAD = "0031"
LATEST = release("3.0")
"""Of an engine that needs the new farm."""
FOREIGN = (OLD, NEW, release("1.5"), release("2.1"))


def any_machine(world: World, random: Random) -> Machine:
    return random.choice(list(world.machines.values()))


def crash(world: World, random: Random) -> None:
    machine = any_machine(world, random)
    if machine.is_up:
        machine.is_up = False
        world.stop_serving(machine, "a crash")


def come_back(world: World, random: Random) -> None:
    down = [one for one in world.machines.values() if not one.is_up or one.is_cut]
    if down:
        machine = random.choice(down)
        machine.is_up, machine.is_cut = True, False


def cut_off(world: World, random: Random) -> None:
    any_machine(world, random).is_cut = True


def go_silent(world: World, random: Random) -> None:
    """So much time passes that whoever does not report counts as silent."""
    world.now += random.choice((3, 6, 700))


def other_worker(world: World, random: Random) -> None:
    """The other one does a part of its work, or all of it."""
    worker = random.choice(world.workers)
    acts = (working.look, working.decide, working.adopt)
    begin = random.randrange(3)
    for one in acts[begin : random.randrange(begin, 3) + 1]:
        one(world, worker)


def forget(world: World, random: Random) -> None:
    """A worker dies and is started again."""
    worker = random.choice(world.workers)
    worker.seen, worker.plan, worker.newest = None, None, None


def drift(world: World, random: Random) -> None:
    """A replica is lost, or whole again."""
    machine = random.choice(world.servers)
    version = random.choice(("debian", "windows"))
    used = any(world.devices[name].version == version for name in world.on(machine.id))
    if not used:
        machine.holds ^= {version}


def device_starts_or_stops(world: World, random: Random) -> None:
    if not world.devices:
        return
    device = random.choice(list(world.devices.values()))
    if device.place is not None:
        device.place = None
        return
    able = [
        one
        for one in world.servers
        if world.can_serve(one, device)
        and world.has_room(one)
        and one.id not in world.records.draining
    ]
    if able:
        device.place = random.choice(able).id


def device_comes_late(world: World, random: Random) -> None:
    """One with a ticket of before comes to a server that drains already."""
    for device in world.devices.values():
        for machine in world.servers:
            if device.place is None and machine.is_draining and world.can_serve(machine, device):
                device.place = machine.id
                return


def by_hand(world: World, random: Random) -> None:
    people.change_by_hand(world, any_machine(world, random), random.choice(FOREIGN))


def hand_drain(world: World, random: Random) -> None:
    machine = random.choice(world.servers)
    people.drain_by_hand(world, machine) or people.undrain_by_hand(world, machine)


def maintenance(world: World, random: Random) -> None:
    machine = random.choice(world.servers)
    people.maintain(world, machine, is_on=machine.id not in world.records.maintenance)


def fill_disk(world: World, random: Random) -> None:
    any_machine(world, random).full = True


def break_release(world: World, random: Random) -> None:
    machine = any_machine(world, random)
    if random.random() < 0.5:
        machine.stuck |= {NEW}
    elif machine.release != NEW:
        machine.bad |= {NEW}


def go_mute(world: World, random: Random) -> None:
    machine = any_machine(world, random)
    machine.is_mute = not machine.is_mute


def expand_by_hand(world: World, random: Random) -> None:
    """An administrator of the database runs the script."""
    facts, schema = world.schema_facts, world.records.schema
    # Its script refuses what the release that runs could not work on.
    if schema.step < facts.expands_to and facts.readable_from <= OLD_HEAD:
        world.records.schema = SeenSchema(
            facts.expands_to, max(schema.readable_from, facts.readable_from)
        )
        world.changed()


def unready(world: World, random: Random) -> None:
    machine = any_machine(world, random)
    machine.is_unwell = not machine.is_unwell
    machine.is_ready = not machine.is_unwell


def late_configuration(world: World, random: Random) -> None:
    """What a server was to fetch some time ago reaches it now."""
    machine = any_machine(world, random)
    late = machine.before
    if machine.is_up and late is not None and machine.takes(late, world.off.node):
        world.obey(machine)
        world.say(machine)


def drop_install(world: World, random: Random) -> None:
    """Somebody makes room on a disk."""
    machine = any_machine(world, random)
    # What runs may come with the machine's package instead.
    machine.installed = frozenset(random.choice(((), (machine.release,))))
    if random.random() < 0.5:
        machine.staged = frozenset()


def supervise(world: World, random: Random) -> None:
    machine = any_machine(world, random)
    machine.is_supervised = not machine.is_supervised
    world.changed()


def work_comes(world: World, random: Random) -> None:
    """Somebody begins, or ends, a rollout or a task; a computer registers."""
    records = world.records
    chance = random.randrange(5)
    if chance == 3:
        found = Finding(Kind.STORE_FULL, "server s2", "1 GiB left")
        records.findings = () if records.findings else (found,)
    elif chance == 4:
        for name in world.devices:
            records.targets[name] = random.choice((OLD, NEW, None))
    elif chance == 0:
        records.rollouts = () if records.rollouts else ("laptops",)
    elif chance == 1:
        records.tasks = () if records.tasks else (people.a_task(world, random),)
    else:
        records.computers["late"] = random.choice(
            (
                None,
                EngineFacts(OLD, frozenset({1})),
                EngineFacts(NEW, frozenset({1, 2})),
                EngineFacts(LATEST, frozenset({1, 2})),
            )
        )
    world.changed()


FAULTS = (
    crash,
    crash,
    come_back,
    come_back,
    cut_off,
    go_silent,
    other_worker,
    other_worker,
    other_worker,
    forget,
    drift,
    drift,
    device_starts_or_stops,
    device_comes_late,
    by_hand,
    hand_drain,
    maintenance,
    fill_disk,
    break_release,
    go_mute,
    expand_by_hand,
    unready,
    late_configuration,
    drop_install,
    supervise,
    work_comes,
)


def back(world: World, random: Random) -> None:
    working.take(world, UpgradeEvent.ROLL_BACK)


def pause(world: World, random: Random) -> None:
    working.take(world, UpgradeEvent.PAUSE)


def resume(world: World, random: Random) -> None:
    working.take(world, UpgradeEvent.RESUME)


def finalise(world: World, random: Random) -> None:
    working.take(world, UpgradeEvent.FINALISE)


def restored(world: World, random: Random) -> None:
    people.restore(world)


def backed_up(world: World, random: Random) -> None:
    # The nightly one, which somebody has verified and the next release has not read.
    people.back_up(world, is_read=False)


def answered(world: World, random: Random) -> None:
    """Somebody ends what the planner says is in the way, or accepts it."""
    worker = world.workers[0]
    working.look(world, worker)
    came = working.decide(world, worker)
    if came is not None:
        people.answer(world, came, random)


def fill_database(world: World, random: Random) -> None:
    world.is_database_full = not world.is_database_full


def mended(world: World, random: Random) -> None:
    people.repair(world)


def waited(world: World, random: Random) -> None:
    working.soaked(world)


WISHES = (
    fill_database,
    back,
    pause,
    resume,
    resume,
    finalise,
    restored,
    backed_up,
    answered,
    answered,
    answered,
    answered,
    mended,
    waited,
)
