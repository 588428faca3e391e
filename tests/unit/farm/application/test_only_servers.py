"""An image that may be had from one server only."""

import pytest
from tests.farm_in_memory import FarmInMemory, disk

from corral.farm.application.change_image import ImageEdit
from corral.farm.domain.delivery.errors import (
    DrainUnsafeError,
    NoServerForVersionError,
    ServerNeededError,
)
from corral.farm.domain.delivery.removal import Need
from corral.farm.domain.errors import UnknownThingError
from corral.farm.domain.estate.server import Server, ServerName, server_name
from corral.farm.domain.estate.store import FIRST_STORE
from corral.farm.domain.image.errors import CopyLeavesError
from corral.farm.domain.image.image import image_name

DEBIAN = image_name("debian")
S3 = server_name("s3")


@pytest.fixture
def servers(farm: FarmInMemory) -> list[Server]:
    """Two of three hold the image."""
    servers = [farm.add_server(name) for name in ("s1", "s2", "s3")]
    version = farm.import_disk("debian", disk(1)).version
    farm.report(servers[0])
    farm.replicate(version, servers[1])
    farm.report(servers[2])
    return servers


def keep_to(farm: FarmInMemory, server: ServerName | None) -> None:
    farm.application.change_image(DEBIAN, ImageEdit(only_server=server))


def sent_to(farm: FarmInMemory, name: str) -> list[str]:
    device = farm.add_device(name, "debian")
    return [str(server.name) for server in farm.application.log_device_in(device.id).servers]


def codes(farm: FarmInMemory, thing: str) -> set[str]:
    return {one.kind.code for one in farm.application.check_farm().findings if one.thing == thing}


def test_devices_are_sent_to_that_server_alone_whoever_else_holds_it(
    farm: FarmInMemory, servers: list[Server]
) -> None:
    assert len(sent_to(farm, "pc1")) == 2
    keep_to(farm, servers[1].name)
    assert sent_to(farm, "pc2") == ["s2"]
    assert farm.application.show_image(DEBIAN).only_server == "s2"
    assert codes(farm, "image debian") == {"image-only-server"}
    assert "device-one-server" in codes(farm, "device pc2")
    assert "loss-strands-devices" in codes(farm, "server s2")
    with pytest.raises(DrainUnsafeError, match="pc2"):
        farm.application.drain_server(servers[1].name)
    keep_to(farm, None)
    assert len(sent_to(farm, "pc3")) == 2
    assert codes(farm, "image debian") == set()


def test_when_that_server_is_away_nobody_else_is_named(
    farm: FarmInMemory, servers: list[Server]
) -> None:
    keep_to(farm, servers[1].name)
    farm.wait(20)
    farm.report(servers[0])
    with pytest.raises(NoServerForVersionError, match="'s2' is not ready") as refusal:
        sent_to(farm, "pc1")
    assert "--only-server none" in refusal.value.message


def test_all_of_the_image_flows_there_and_no_policy_takes_it_away(
    farm: FarmInMemory, servers: list[Server]
) -> None:
    farm.application.set_copies(FIRST_STORE.name, 1)
    keep_to(farm, S3)
    first = farm.version("debian/1")
    wanted = farm.application.configure_server(servers[2].id).replicas
    assert [one.root for one in wanted] == [first.root]
    second = farm.import_disk("debian", disk(1, 2)).version
    wanted = farm.application.configure_server(servers[2].id).replicas
    assert {one.root for one in wanted} == {first.root, second.root}
    for _ in range(3):
        for server in servers:
            roots = {one.root for one in farm.application.configure_server(server.id).replicas}
            holds = tuple(one for one in (first, second) if one.root in roots)
            farm.report(server, holds=holds)
        farm.wait(1)
    views = {str(view.version.name): view for view in farm.application.show_image(DEBIAN).versions}
    assert "s3" in {str(one.server.name) for one in views["debian/1"].replicas}
    assert sent_to(farm, "pc1") == ["s3"]


def test_a_release_waits_for_that_server(farm: FarmInMemory, servers: list[Server]) -> None:
    keep_to(farm, S3)
    farm.report(servers[2], holds=(farm.version("debian/1"),))
    farm.import_disk("debian", disk(1, 2))
    view = farm.application.show_image(DEBIAN).versions[-1]
    assert view.version.standing == "pending"
    assert "s3 lacks" in str(view.wait)


def test_that_server_is_removed_only_as_lost(farm: FarmInMemory, servers: list[Server]) -> None:
    keep_to(farm, servers[1].name)
    with pytest.raises(ServerNeededError, match="image set") as refusal:
        farm.application.remove_server(servers[1].name)
    assert [(one.need, one.whose) for one in refusal.value.needs] == [(Need.ONLY, ("debian",))]
    farm.wait(20)
    farm.report(servers[0])
    farm.application.remove_server(servers[1].name, is_lost=True)
    assert farm.application.show_image(DEBIAN).only_server is None
    assert sent_to(farm, "pc1") == ["s1"]


def test_what_is_no_server_or_lets_the_image_go_is_refused(
    farm: FarmInMemory, servers: list[Server]
) -> None:
    with pytest.raises(UnknownThingError):
        keep_to(farm, server_name("s9"))
    version = farm.version("debian/1")
    farm.application.set_copies(FIRST_STORE.name, None)
    farm.report(servers[2], holds=(version,))
    farm.application.set_copies(FIRST_STORE.name, 1)
    leaving: list[Server] = []
    for server in servers * 2:
        farm.wait(1)
        farm.report(server, holds=(version,))
        with farm.ports.transactions.reading() as records:
            leaves = {one.server_id for one in records.replicas.all() if one.is_removing}
        leaving += [one for one in servers if one.id in leaves and one not in leaving]
    assert leaving
    for server in leaving:
        with pytest.raises(CopyLeavesError, match=server.name):
            keep_to(farm, server.name)
    assert farm.application.show_image(DEBIAN).only_server is None
