"""Random farms as placement sees them."""

from dataclasses import replace
from decimal import Decimal
from functools import cache
from itertools import combinations
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st

from corral.farm.domain.delivery.device import DeviceId, DeviceName
from corral.farm.domain.delivery.placement import PlacedDevice, Placement
from corral.farm.domain.delivery.ranking import Host, Load
from corral.farm.domain.estate.server import ServerId, server_name
from corral.farm.domain.image.version import VersionName

DEBIAN = VersionName.parse("debian/1")
RATINGS = [Decimal(text) for text in ("0.1", "0.5", "1", "1", "1", "2", "3.7", "1000")]


# A whole farm is drawn for each example, at some four milliseconds.
FARM_WIDE = settings(max_examples=min(2_500, settings().max_examples))


def server_id(number: int) -> ServerId:
    return ServerId(UUID(int=number))


def host(number: int, *, devices: int = 0, booting: int = 0, **facts: object) -> Host:
    """Give an idle open server that has no limits, but for what is said."""
    plain = Host(
        server_id(number), server_name(f"s{number}"), load=Load(devices, booting), max_devices=None
    )
    return replace(plain, **facts)  # type: ignore[arg-type] # each test names fields of Host


def device(number: int, place: int, *may_use: int, booting: bool = False) -> PlacedDevice:
    return PlacedDevice(
        id=DeviceId(UUID(int=10_000 + number)),
        name=DeviceName(f"pc{number}"),
        place=server_id(place),
        version=DEBIAN,
        may_use=frozenset(map(server_id, may_use)),
        is_booting=booting,
    )


def placement(hosts: list[Host], devices: list[PlacedDevice]) -> Placement:
    """Count the devices into the loads of the hosts."""
    counted = [
        replace(
            one,
            load=Load(
                sum(d.place == one.id for d in devices),
                sum(d.place == one.id and d.is_booting for d in devices),
            ),
        )
        for one in hosts
    ]
    return Placement(tuple(counted), tuple(devices))


# Made once: that costs more than to draw from them.
MOSTLY = st.sampled_from([True, True, True, False])
SOME_RATING = st.sampled_from(RATINGS)
SOME_LIMIT = st.none() | st.integers(0, 12)
HOW_MANY_DEVICES = st.integers(0, 30)
LIVELY_AND_HELD = st.tuples(MOSTLY, MOSTLY)


@cache
def _places(count: int) -> st.SearchStrategy[tuple[int, frozenset[int], frozenset[int]]]:
    """Give where a device is, who else may serve it, and to whom it keeps spare connections."""
    sets = [
        frozenset(some) for size in range(count + 1) for some in combinations(range(count), size)
    ]
    spare = [some for some in sets if len(some) <= 2]
    return st.tuples(st.integers(0, count - 1), st.sampled_from(sets), st.sampled_from(spare))


@st.composite
def placements(draw: st.DrawFn, *, least_servers: int = 0) -> Placement:
    count = draw(st.integers(least_servers, 5))
    hosts = [
        host(
            number,
            is_online=draw(MOSTLY),
            takes_devices=draw(MOSTLY),
            rating=draw(SOME_RATING),
            max_devices=draw(SOME_LIMIT),
        )
        for number in range(count)
    ]
    if not count:
        return Placement((), ())
    devices = []
    for number in range(draw(HOW_MANY_DEVICES)):
        place, others, spare = draw(_places(count))
        is_up, is_held_here = draw(LIVELY_AND_HELD)
        one = device(number, place, booting=not is_up)
        may_use = others | {place} if is_held_here else others - {place}
        devices.append(
            replace(
                one,
                may_use=frozenset(map(server_id, may_use)),
                connected_to=frozenset(map(server_id, spare)),
            )
        )
    return placement(hosts, devices)
