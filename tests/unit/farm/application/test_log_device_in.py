import base64
import struct
from datetime import timedelta
from uuid import UUID

import pytest
from tests.farm_in_memory import FarmInMemory, disk

from corral.farm.application.log_device_in import LoginAnswer
from corral.farm.domain.access.token import Token, TokenWrongError
from corral.farm.domain.delivery.device import Device, device_name
from corral.farm.domain.delivery.errors import (
    DeviceUnassignedError,
    ImageWithoutVersionError,
    NoServerForVersionError,
)
from corral.farm.domain.image.image import image_name
from corral.farm.domain.image.version import VersionName


def login(farm: FarmInMemory, device: Device) -> LoginAnswer:
    return farm.application.log_device_in(device.id)


def names(answer: LoginAnswer) -> list[str]:
    return [str(server.name) for server in answer.servers]


def test_device_gets_the_newest_published_version(farm: FarmInMemory) -> None:
    server = farm.add_server("s1")
    farm.import_disk("debian", disk(1))
    farm.import_disk("debian", disk(2))
    farm.report(server)
    device = farm.add_device("pc1", "debian")
    assert str(login(farm, device).version.name) == "debian/2"
    farm.application.delete_version(VersionName.parse("debian/2"))
    assert str(login(farm, device).version.name) == "debian/1"


def test_least_loaded_server_comes_first(farm: FarmInMemory) -> None:
    busy, idle = farm.add_server("s1"), farm.add_server("s2")
    version = farm.import_disk("debian", disk(1)).version
    farm.replicate(version, idle)
    other = farm.add_device("pc2", "debian")
    farm.report(busy, sessions=((other, version), (other, version)))
    assert names(login(farm, farm.add_device("pc1", "debian"))) == ["s2", "s1"]


def test_devices_that_log_in_between_two_reports_spread(farm: FarmInMemory) -> None:
    first, second = farm.add_server("s1"), farm.add_server("s2")
    version = farm.import_disk("debian", disk(1)).version
    farm.replicate(version, second)
    farm.report(first)
    farm.wait(0.5)
    devices = [farm.add_device(f"pc{place}", "debian") for place in range(40)]
    sent_to = [names(login(farm, device))[0] for device in devices]
    assert sent_to.count("s1") == sent_to.count("s2") == 20


def test_server_that_is_still_fetching_gets_no_device(farm: FarmInMemory) -> None:
    first, second = farm.add_server("s1"), farm.add_server("s2")
    version = farm.import_disk("debian", disk(1)).version
    farm.report(first)
    farm.application.replicate_version(version.name, [second.name])
    farm.report(second)
    assert names(login(farm, farm.add_device("pc1", "debian"))) == ["s1"]


def test_draining_server_gets_no_device(farm: FarmInMemory) -> None:
    first, second = farm.add_server("s1"), farm.add_server("s2")
    version = farm.import_disk("debian", disk(1)).version
    farm.report(first)
    farm.replicate(version, second)
    device = farm.add_device("pc1", "debian")
    farm.application.drain_server(first.name)
    assert names(login(farm, device)) == ["s2"]
    farm.application.undrain_server(first.name)
    assert sorted(names(login(farm, device))) == ["s1", "s2"]


def test_silent_server_gets_no_device(farm: FarmInMemory) -> None:
    first, second = farm.add_server("s1"), farm.add_server("s2")
    version = farm.import_disk("debian", disk(1)).version
    farm.report(first)
    farm.wait(6)
    farm.replicate(version, second)
    assert names(login(farm, farm.add_device("pc1", "debian"))) == ["s2"]


def test_without_a_server_the_refusal_says_try_again(farm: FarmInMemory) -> None:
    farm.add_server("s1")
    farm.import_disk("debian", disk(1))
    with pytest.raises(NoServerForVersionError) as refusal:
        login(farm, farm.add_device("pc1", "debian"))
    assert refusal.value.code == "no-server-for-version"


def test_device_without_an_image_is_refused(farm: FarmInMemory) -> None:
    with pytest.raises(DeviceUnassignedError):
        login(farm, farm.add_device("pc1"))


def test_image_without_a_version_is_refused(farm: FarmInMemory) -> None:
    farm.add_server("s1")
    farm.import_disk("debian", disk(1))
    farm.application.delete_version(VersionName.parse("debian/1"))
    with pytest.raises(ImageWithoutVersionError):
        login(farm, farm.add_device("pc1", "debian"))


def test_assignment_takes_effect_at_the_next_login(farm: FarmInMemory) -> None:
    server = farm.add_server("s1")
    farm.import_disk("debian", disk(1))
    farm.import_disk("fedora", disk(2))
    farm.report(server)
    device = farm.add_device("pc1", "debian")
    farm.application.assign_device(device.name, image_name("fedora"))
    assert str(login(farm, device).version.name) == "fedora/1"


def test_ticket_is_what_the_data_plane_expects(farm: FarmInMemory) -> None:
    server = farm.add_server("s1")
    version = farm.import_disk("debian", disk(1)).version
    farm.report(server)
    device = farm.add_device("pc1", "debian")
    answer = login(farm, device)
    sealed = base64.urlsafe_b64decode(answer.ticket + "==")
    claims, signature = sealed[:58], sealed[58:]
    form, purpose, root, expiry, subject = struct.unpack("<BB32sQ16s", claims)
    assert (form, purpose) == (1, 1)
    assert root == bytes.fromhex(version.root.hex)
    assert UUID(bytes=subject) == device.id
    assert expiry == int((farm.ports.clock.now() + timedelta(days=7)).timestamp())
    assert expiry == int(answer.expires_at.timestamp())
    public_key = farm.application.show_farm().farm.public_key
    assert farm.ports.signature_check(public_key, b"corral ticket v1\0" + claims, signature)
    assert not farm.ports.signature_check(public_key, b"corral root v1\0" + claims, signature)


def test_device_is_recognised_by_its_own_key_only(farm: FarmInMemory) -> None:
    one = farm.application.register_device(
        device_name("pc1"), farm.add_device("tmp").mac.parse("52:54:00:00:01:01")
    )
    key = farm.ports.secret_files.written[one.key_file]
    recognise = farm.application.recognise_device
    assert recognise(device_name("pc1"), key) == one.device.id
    for name, wrong in (("pc1", Token(bytes(32))), ("pc9", key)):
        with pytest.raises(TokenWrongError) as refusal:
            recognise(device_name(name), wrong)
        assert (
            refusal.value.message == TokenWrongError("device").message
        )  # which was wrong is not said
