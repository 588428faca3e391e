"""A server is drained only with a proof."""

import pytest
from tests.farm_in_memory import FarmInMemory, disk

from corral.farm.domain.delivery.device import Device
from corral.farm.domain.delivery.errors import DrainUnsafeError
from corral.farm.domain.estate.server import Server
from corral.farm.domain.image.version import Version


def with_servers(farm: FarmInMemory, *names: str) -> tuple[list[Server], Version]:
    servers = [farm.add_server(name) for name in names]
    version = farm.import_disk("debian", disk(1)).version
    farm.report(servers[0])
    for server in servers[1:]:
        farm.replicate(version, server)
    return servers, version


def running(farm: FarmInMemory, name: str, server: Server, version: Version) -> Device:
    device = farm.add_device(name, "debian")
    farm.report(server, holds=(version,), sessions=((device, version),))
    return device


def test_with_two_others_that_hold_everything_it_is_safe(farm: FarmInMemory) -> None:
    servers, version = with_servers(farm, "s1", "s2", "s3")
    running(farm, "pc1", servers[0], version)
    generation = farm.generation
    assert farm.application.drain_server(servers[0].name).draining
    assert farm.generation == generation + 1
    assert farm.application.drain_server(servers[0].name).draining
    assert farm.generation == generation + 1


def test_with_one_other_it_is_refused_and_the_devices_are_named(farm: FarmInMemory) -> None:
    servers, version = with_servers(farm, "s1", "s2")
    running(farm, "pc1", servers[0], version)
    generation = farm.generation
    with pytest.raises(DrainUnsafeError) as refusal:
        farm.application.drain_server(servers[0].name)
    assert refusal.value.code == "drain-unsafe"
    assert "device pc1 (debian/1): once s2 is lost too no other server" in refusal.value.message
    assert [one.device.name for one in refusal.value.stranded] == ["pc1"]
    assert not farm.application.show_server(servers[0].name).server.draining
    assert farm.generation == generation


def test_who_has_only_its_spare_there_is_named_too(farm: FarmInMemory) -> None:
    servers, version = with_servers(farm, "s1", "s2")
    device = running(farm, "pc1", servers[0], version)
    farm.report(servers[1], holds=(version,), sessions=((device, version),))
    with pytest.raises(DrainUnsafeError):
        farm.application.drain_server(servers[1].name)


def test_a_silent_server_is_no_place_to_go(farm: FarmInMemory) -> None:
    servers, version = with_servers(farm, "s1", "s2", "s3")
    farm.wait(6)
    farm.report(servers[2], holds=(version,))
    running(farm, "pc1", servers[0], version)
    with pytest.raises(DrainUnsafeError, match="once s3 is lost too"):
        farm.application.drain_server(servers[0].name)


def test_two_servers_are_not_drained_for_each_others_room(farm: FarmInMemory) -> None:
    servers, version = with_servers(farm, "s1", "s2", "s3")
    running(farm, "pc1", servers[0], version)
    running(farm, "pc2", servers[1], version)
    farm.application.drain_server(servers[0].name)
    with pytest.raises(DrainUnsafeError):
        farm.application.drain_server(servers[1].name)


def test_many_devices_are_named_in_part_and_counted(farm: FarmInMemory) -> None:
    servers, version = with_servers(farm, "s1")
    devices = [farm.add_device(f"pc{number}", "debian") for number in range(8)]
    farm.report(servers[0], sessions=tuple((device, version) for device in devices))
    with pytest.raises(DrainUnsafeError, match="and 3 more") as refusal:
        farm.application.drain_server(servers[0].name)
    assert len(refusal.value.stranded) == 8


def test_a_server_without_devices_is_drained_at_once(farm: FarmInMemory) -> None:
    servers, _ = with_servers(farm, "s1")
    assert farm.application.drain_server(servers[0].name).draining
