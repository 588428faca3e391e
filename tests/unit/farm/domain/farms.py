"""Random farms as placement sees them."""

from dataclasses import replace
from decimal import Decimal
from uuid import UUID

from hypothesis import strategies as st

from corral.farm.domain.delivery.device import DeviceId, DeviceName
from corral.farm.domain.delivery.placement import PlacedDevice, Placement
from corral.farm.domain.delivery.ranking import Host, Load
from corral.farm.domain.estate.server import ServerId, server_name
from corral.farm.domain.image.version import VersionName

DEBIAN = VersionName.parse("debian/1")
RATINGS = [Decimal(text) for text in ("0.1", "0.5", "1", "1", "1", "2", "3.7", "1000")]


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


@st.composite
def placements(draw: st.DrawFn, *, least_servers: int = 0) -> Placement:
    count = draw(st.integers(least_servers, 5))
    hosts = [
        host(
            number,
            is_online=draw(st.sampled_from([True, True, True, False])),
            takes_devices=draw(st.sampled_from([True, True, True, False])),
            rating=draw(st.sampled_from(RATINGS)),
            max_devices=draw(st.one_of(st.none(), st.integers(0, 12))),
        )
        for number in range(count)
    ]
    if not count:
        return Placement((), ())
    numbers = st.integers(0, count - 1)
    devices = []
    for number in range(draw(st.integers(0, 30))):
        place = draw(numbers)
        one = device(number, place, booting=draw(st.sampled_from([False, False, False, True])))
        others = draw(st.frozensets(numbers, max_size=count))
        holds_here = draw(st.sampled_from([True, True, True, False]))
        may_use = others | {place} if holds_here else others - {place}
        spare = draw(st.frozensets(numbers, max_size=2))
        devices.append(
            replace(
                one,
                may_use=frozenset(map(server_id, may_use)),
                connected_to=frozenset(map(server_id, spare)),
            )
        )
    return placement(hosts, devices)
