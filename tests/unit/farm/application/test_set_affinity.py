"""Devices are bound to servers of their own subnet by their image or their collection."""

import pytest
from tests.farm_in_memory import FarmInMemory, disk

from corral.farm.application.change_server import ServerEdit
from corral.farm.application.change_site import SiteEdit
from corral.farm.domain.delivery.errors import (
    DrainUnsafeError,
    NoRoomForDeviceError,
    ServerNeededError,
)
from corral.farm.domain.delivery.ranking import Affinity
from corral.farm.domain.delivery.removal import Need
from corral.farm.domain.estate.collection import FIRST_COLLECTION
from corral.farm.domain.estate.server import server_name
from corral.farm.domain.estate.site import FIRST_SITE
from corral.farm.domain.estate.subnet import Subnet
from corral.farm.domain.image.image import image_name

DEBIAN = image_name("debian")
LAB, OFFICE = "192.0.2.7", "198.51.100.7"


@pytest.fixture
def town(farm: FarmInMemory) -> FarmInMemory:
    """Servers ``attic``, ``lab`` and ``office``, the last two near to their subnets."""
    servers = [farm.add_server(name) for name in ("attic", "lab", "office")]
    version = farm.import_disk("debian", disk(1)).version
    farm.report(servers[0])
    for server in servers[1:]:
        farm.replicate(version, server)
    for server, subnet in zip(servers[1:], ("192.0.2.0/24", "198.51.100.0/24"), strict=True):
        edit = ServerEdit(subnets=(Subnet.parse(subnet),))
        farm.application.change_server(server.name, edit)
    farm.add_device("pc1", "debian")
    return farm


def sent_to(town: FarmInMemory, address: str) -> list[str]:
    device = town.application.list_devices()[0].device
    return [str(s.name) for s in town.application.log_device_in(device.id, address=address).servers]


def test_best_effort_prefers_and_fixed_demands(town: FarmInMemory) -> None:
    town.application.set_affinity.of_image(DEBIAN, Affinity.BEST_EFFORT)
    assert sent_to(town, LAB)[0] == "lab"
    assert sent_to(town, OFFICE)[0] == "office"
    assert len(sent_to(town, LAB)) == 3
    town.application.set_affinity.of_image(DEBIAN, Affinity.FIXED)
    assert sent_to(town, LAB) == ["lab"]
    with pytest.raises(NoRoomForDeviceError, match="lab is in another subnet") as refusal:
        sent_to(town, "203.0.113.1")
    assert refusal.value.code == "no-room-for-device"


def test_the_collection_has_the_last_word(town: FarmInMemory) -> None:
    town.application.set_affinity.of_image(DEBIAN, Affinity.FIXED)
    town.application.set_affinity.of_collection(FIRST_COLLECTION.name, Affinity.NONE)
    assert len(sent_to(town, LAB)) == 3
    town.application.set_affinity.of_collection(FIRST_COLLECTION.name, None)
    assert sent_to(town, LAB) == ["lab"]


def test_a_device_that_is_bound_is_counted_so_by_the_proof_of_a_drain(town: FarmInMemory) -> None:
    town.application.set_affinity.of_image(DEBIAN, Affinity.FIXED)
    assert sent_to(town, LAB) == ["lab"]
    lab = town.application.list_servers()
    name = next(view.server.name for view in lab if view.server.name == "lab")
    with pytest.raises(DrainUnsafeError, match="pc1"):
        town.application.drain_server(name)


def kept_for(town: FarmInMemory) -> list[list[str]]:
    """Give what a device would be told without the database."""
    answers = town.application.take_login_snapshot().answers
    return [[str(server.name) for server in answer.servers] for answer in answers]


def found_of(town: FarmInMemory, thing: str) -> dict[str, str]:
    findings = town.application.check_farm().findings
    return {one.kind.code: one.message for one in findings if one.thing == thing}


def test_a_device_that_is_off_is_expected_where_it_was_last(town: FarmInMemory) -> None:
    town.application.set_affinity.of_image(DEBIAN, Affinity.FIXED)
    assert sent_to(town, LAB) == ["lab"]
    told = {"device-one-server": "its login would name lab only"}
    assert kept_for(town) == [["lab"]]
    assert found_of(town, "device pc1") == told
    town.wait(20)
    for view in town.application.list_servers():
        town.report(view.server)
    with town.ports.transactions.reading() as records:
        assert records.places.all() == []
    assert kept_for(town) == [["lab"]]
    assert found_of(town, "device pc1") == told
    with pytest.raises(ServerNeededError) as refusal:
        town.application.remove_server(server_name("lab"))
    assert [need.need for need in refusal.value.needs] == [Need.STARTING]


def test_a_device_that_never_came_is_expected_in_its_site(town: FarmInMemory) -> None:
    town.application.set_affinity.of_image(DEBIAN, Affinity.FIXED)
    [servers] = kept_for(town)
    assert sorted(servers) == ["lab", "office"]
    assert found_of(town, "device pc1") == {}
    town.application.change_site(FIRST_SITE.name, SiteEdit(subnets=(Subnet.parse("192.0.2.0/24"),)))
    # The attic names no subnet of its own, and so is near to those of the site.
    [servers] = kept_for(town)
    assert sorted(servers) == ["attic", "lab"]
    town.application.change_site(
        FIRST_SITE.name, SiteEdit(subnets=(Subnet.parse("203.0.113.0/24"),))
    )
    assert kept_for(town) == [["attic"]]
