from dataclasses import replace

from hypothesis import given
from tests.unit.farm.domain.farms import FARM_WIDE, device, host, placement, placements, server_id

from corral.farm.domain.delivery.placement import Placement
from corral.farm.domain.delivery.safety import Lack, stranded_by_loss, unsafe_without

ALL = (1, 2, 3)


def unsafe(placed: Placement, number: int = 1) -> list[tuple[str, Lack, str | None]]:
    found = unsafe_without(placed, server_id(number))
    return [(one.device.name, one.lack, one.lost) for one in found]


def test_three_servers_that_hold_all_may_lose_one_to_a_drain_and_one_to_a_loss() -> None:
    hosts = [host(number, max_devices=4) for number in ALL]
    placed = placement(hosts, [device(1, 1, *ALL), device(2, 2, *ALL), device(3, 3, *ALL)])
    assert unsafe(placed) == []


def test_of_two_servers_none_can_be_drained_while_its_devices_run() -> None:
    placed = placement([host(1), host(2)], [device(1, 1, 1, 2)])
    assert unsafe(placed) == [("pc1", Lack.HOLDER, "s2")]
    assert unsafe(placed, 2) == []


def test_a_device_that_has_its_spare_there_is_looked_at_too() -> None:
    spare_there = replace(device(1, 2, 1, 2), connected_to=frozenset({server_id(1)}))
    placed = placement([host(1), host(2), host(3)], [spare_there])
    assert unsafe(placed) == [("pc1", Lack.HOLDER, "s2")]


def test_a_version_that_nobody_else_holds_keeps_its_device() -> None:
    placed = placement([host(n) for n in ALL], [device(1, 1, 1), device(2, 1, *ALL)])
    assert unsafe(placed) == [("pc1", Lack.HOLDER, None)]


def test_room_must_be_left_after_one_more_loss() -> None:
    hosts = [host(1), host(2, max_devices=3), host(3, max_devices=3)]
    devices = [device(1, 1, *ALL), device(2, 2, *ALL), device(3, 3, *ALL)]
    assert unsafe(placement(hosts, devices)) == []
    devices += [device(4, 1, *ALL)]
    # Of s2 and s3 each can take pc1 and pc4, but not its neighbour's device as well.
    assert unsafe(placement(hosts, devices)) == [("pc4", Lack.ROOM, "s2")]


def test_a_silent_server_is_no_place_and_its_devices_need_one() -> None:
    silent = host(3, is_online=False)
    placed = placement([host(1), host(2), silent], [device(1, 1, *ALL)])
    assert unsafe(placed) == [("pc1", Lack.HOLDER, "s2")]
    crowd = [device(n, 4, 1, 2, 3, 4) for n in range(10, 13)]
    hosts = [host(1), host(2, max_devices=3), host(3, max_devices=3), host(4, is_online=False)]
    assert unsafe(placement(hosts, crowd)) == []
    assert unsafe(placement(hosts, [*crowd, device(1, 1, *ALL)])) == [("pc1", Lack.ROOM, "s2")]


def test_a_server_under_maintenance_or_draining_is_no_place() -> None:
    hosts = [host(1), host(2), host(3, takes_devices=False)]
    assert unsafe(placement(hosts, [device(1, 1, *ALL)])) == [("pc1", Lack.HOLDER, "s2")]


def test_a_server_without_devices_is_always_safe_to_drain() -> None:
    assert unsafe(placement([host(1), host(2)], [device(1, 2, 2)])) == []


@FARM_WIDE
@given(placements(least_servers=2))
def test_a_drain_that_is_allowed_leaves_every_device_of_it_safe_from_any_loss(
    placed: Placement,
) -> None:
    drained = placed.hosts[0]
    if unsafe_without(placed, drained.id):
        return
    after = replace(
        placed,
        hosts=tuple(
            replace(one, takes_devices=one.takes_devices and one is not drained)
            for one in placed.hosts
        ),
    )
    mine = {one.id for one in placed.devices if one.streams_from(drained.id)}
    for other in after.hosts[1:]:
        if other.is_open:
            lost = {one.device.id for one in stranded_by_loss(after, other.id)}
            assert not lost & mine


@FARM_WIDE
@given(placements(least_servers=1))
def test_whoever_is_unsafe_is_named_once_and_streams_from_there(placed: Placement) -> None:
    found = unsafe_without(placed, placed.hosts[0].id)
    names = [one.device.name for one in found]
    assert names == sorted(set(names))
    assert all(one.device.streams_from(placed.hosts[0].id) for one in found)
