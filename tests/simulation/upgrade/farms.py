"""Random farms at the beginning of an upgrade, and the releases that they are upgraded to."""

from random import Random
from uuid import UUID

from corral.farm.domain.estate.server import ServerId, ServerName
from corral.farm.domain.library.compatibility import EngineFacts
from corral.farm.domain.library.manifest import ReleaseManifest
from corral.farm.domain.upgrade.inventory import SeenConsole, SeenSchema
from corral.farm.domain.upgrade.policy import Policy
from corral.farm.domain.upgrade.state import UpgradeState
from tests.simulation.upgrade.machines import Machine
from tests.simulation.upgrade.people import back_up
from tests.simulation.upgrade.records import Records, at
from tests.simulation.upgrade.world import ALL_ON, Device, GuardsOff, Worker, World
from tests.unit.farm.domain.upgrades import NEW, NEW_SCHEMA, OLD, OLD_FARM, farm, manifest

OLD_ENGINE = manifest("engine", "1.0", runs_image_formats=[1])
NEW_ENGINE = manifest("engine", "2.0", runs_image_formats=[1, 2])
LATEST_ENGINE = manifest("engine", "3.0", runs_image_formats=[1, 2], oldest_farm="2.0")
OWN = farm("1.5", schema={"expands_to": "0031", "readable_from": "0030"})
FACTS: tuple[ReleaseManifest, ...] = (
    *(farm("2.0", schema=NEW_SCHEMA, oldest_relay="1.0"),) * 4,
    *(farm("2.0", schema=NEW_SCHEMA),) * 4,
    farm("2.0", schema=NEW_SCHEMA, publishes_image_format=2, oldest_engine="2.0"),
    farm("2.0", schema=NEW_SCHEMA, oldest_relay="1.0", oldest_console="2.0"),
    farm("2.0", schema=NEW_SCHEMA, oldest_target="2.0"),
    farm("2.0", schema={"expands_to": "0032", "readable_from": "0031"}, oldest_relay="1.0"),
    farm("2.0", schema={**NEW_SCHEMA, "readable_from": "0032"}),
    farm("2.0", schema=NEW_SCHEMA, oldest_server="1.1"),
    farm("2.0", schema=NEW_SCHEMA, upgrades={"oldest": "1.1", "because": "the keys moved"}),
)
"""Relays that may be older, or not; engines first; consoles last; clients first; nothing to
contract; and three that cannot be upgraded to from here."""


def random_farm(random: Random, off: GuardsOff = ALL_ON) -> World:
    """Give a farm of 2 to 6 servers, up to two relays, and up to five devices."""
    facts = random.choice(FACTS)
    count = random.choice((2, 3, 3, 3, 4, 5, 6))
    both = ("debian", "windows")
    # Sometimes one server alone has a version.
    held = random.choice(((both,), (both,), (both, both, both[:1], both[1:]), (both, both[:1])))
    machines = [
        Machine(
            ServerId(UUID(int=number)),
            ServerName(f"s{number}"),
            is_relay=False,
            release=OLD,
            installed=frozenset({OLD}),
            staged=frozenset({OLD, NEW}),
            holds=frozenset(random.choice(held)),
        )
        for number in range(1, count + 1)
    ]
    relays = [
        Machine(
            ServerId(UUID(int=100 + number)),
            ServerName(f"r{number}"),
            is_relay=True,
            release=OLD,
            installed=frozenset({OLD}),
            staged=frozenset({OLD, NEW}),
        )
        for number in range(1, 1 + random.choice((0, 0, 1, 2)))
    ]
    devices: dict[str, Device] = {}
    for number in range(random.choice((0, 1, 2, 3, 5))):
        version = random.choice(("debian", "windows"))
        holders = [one for one in machines if version in one.holds]
        place = random.choice(holders).id if holders else None
        devices[f"pc{number}"] = Device(f"pc{number}", version, place)
    first = (random.choice(machines).name,) if random.random() < 0.3 else ()
    records = Records(
        Policy(OLD, NEW, UpgradeState.RUNNING, first=first), SeenSchema("0031", "0031")
    )
    for number in range(random.choice((0, 0, 1, 2))):
        engine = random.choice((OLD_ENGINE, NEW_ENGINE, None))
        records.computers[f"laptop{number}"] = None if engine is None else EngineFacts.of(engine)
    records.targets = {name: random.choice((OLD, NEW)) for name in devices}
    if random.random() < 0.3:
        records.consoles = (SeenConsole("ann", random.choice((OLD, NEW, None)), at(0)),)
    world = World(
        facts,
        (
            *((OLD_FARM,) if random.random() < 0.9 else ()),
            *(OWN, facts, OLD_ENGINE, NEW_ENGINE, LATEST_ENGINE),
        ),
        records,
        {one.id: one for one in (*machines, *relays)},
        devices,
        (Worker("w1"), Worker("w2")),
        off,
    )
    for one in machines:
        world.tick(one)
    for one in relays:
        world.tick(one)
    if random.random() < 0.8:
        back_up(world)
    return world
