import base64
import struct
from collections.abc import Callable  # noqa: TC003 - read more easily here
from datetime import timedelta
from uuid import UUID

import pytest
from tests.farm_in_memory import FarmInMemory, disk

from corral.farm.application.log_device_in import LoginAnswer
from corral.farm.domain.access.audit import AuditFilter
from corral.farm.domain.access.token import Token, TokenWrongError
from corral.farm.domain.delivery.device import Device, MacAddress, device_name
from corral.farm.domain.delivery.errors import (
    DeviceIdentityError,
    DeviceUnassignedError,
    ImageWithoutVersionError,
    NoServerForVersionError,
    RunningVersionUnknownError,
)
from corral.farm.domain.image.image import image_name
from corral.farm.domain.image.root import RootHash
from corral.farm.domain.image.standing import VersionEvent
from corral.farm.domain.image.version import Version, VersionName


def login(farm: FarmInMemory, device: Device) -> LoginAnswer:
    return farm.application.log_device_in(device.id)


def renew(farm: FarmInMemory, device: Device, running: Version) -> LoginAnswer:
    return farm.application.log_device_in(device.id, running.root)


def names(answer: LoginAnswer) -> list[str]:
    return [str(server.name) for server in answer.servers]


def test_device_gets_the_newest_published_version(farm: FarmInMemory) -> None:
    server = farm.add_server("s1")
    farm.import_disk("debian", disk(1))
    farm.import_disk("debian", disk(2))
    farm.report(server)
    device = farm.add_device("pc1", "debian")
    assert str(login(farm, device).version.name) == "debian/2"
    farm.application.retire_version(VersionName.parse("debian/2"))
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


def test_running_device_renews_for_what_it_runs(farm: FarmInMemory) -> None:
    server = farm.add_server("s1")
    old = farm.import_disk("debian", disk(1)).version
    farm.report(server)
    device = farm.add_device("pc1", "debian")
    first = login(farm, device)
    farm.import_disk("debian", disk(2))
    farm.wait(4)
    renewed = renew(farm, device, old)
    assert renewed.version == first.version == old
    assert renewed.expires_at > first.expires_at
    sealed = base64.urlsafe_b64decode(renewed.ticket + "==")
    assert sealed[2:34] == bytes.fromhex(old.root.hex)
    assert str(login(farm, device).version.name) == "debian/2"


def test_renewal_names_the_servers_that_hold_what_runs(farm: FarmInMemory) -> None:
    first, second = farm.add_server("s1"), farm.add_server("s2")
    old = farm.import_disk("debian", disk(1)).version
    farm.report(first)
    device = farm.add_device("pc1", "debian")
    login(farm, device)
    newer = farm.import_disk("debian", disk(2)).version
    farm.replicate(newer, second)
    assert names(renew(farm, device, old)) == ["s1"]


def test_device_assigned_anew_renews_for_what_it_runs_until_it_restarts(
    farm: FarmInMemory,
) -> None:
    server = farm.add_server("s1")
    debian = farm.import_disk("debian", disk(1)).version
    farm.import_disk("fedora", disk(2))
    farm.report(server)
    device = farm.add_device("pc1", "debian")
    login(farm, device)
    farm.application.assign_device(device.name, image_name("fedora"))
    for _ in range(2):  # the first renewal does not make the second one forget
        assert renew(farm, device, debian).version == debian
    assert str(login(farm, device).version.name) == "fedora/1"
    with pytest.raises(RunningVersionUnknownError):
        renew(farm, device, debian)


def test_device_whose_image_is_taken_from_it_goes_on_until_it_restarts(
    farm: FarmInMemory,
) -> None:
    server = farm.add_server("s1")
    debian = farm.import_disk("debian", disk(1)).version
    farm.report(server)
    device = farm.add_device("pc1", "debian")
    login(farm, device)
    revision = farm.application.show_device(device.name).device.revision
    assert farm.application.unassign_device(device.name).revision == revision + 1
    assert farm.application.unassign_device(device.name).revision == revision + 1  # quietly
    for _ in range(2):
        assert renew(farm, device, debian).version == debian
    with pytest.raises(DeviceUnassignedError, match="pc1"):
        login(farm, device)
    farm.application.assign_device(device.name, image_name("debian"))
    assert login(farm, device).version == debian


def test_device_never_renews_for_an_image_it_was_not_given(farm: FarmInMemory) -> None:
    server = farm.add_server("s1")
    farm.import_disk("debian", disk(1))
    secret = farm.import_disk("secret", disk(2)).version
    farm.report(server)
    device = farm.add_device("pc1", "debian")
    login(farm, device)
    before = farm.application.list_devices()
    for root in (secret.root, RootHash("ab" * 32)):
        with pytest.raises(RunningVersionUnknownError) as refusal:
            farm.application.log_device_in(device.id, root)
        assert refusal.value.code == "running-version-unknown"
        assert root.hex in refusal.value.message
    with pytest.raises(RunningVersionUnknownError):
        renew(farm, farm.add_device("pc2"), secret)
    assert farm.application.list_devices()[: len(before)] == before


def test_version_that_is_being_deleted_is_renewed_and_a_deleted_one_is_not(
    farm: FarmInMemory,
) -> None:
    server = farm.add_server("s1")
    old = farm.import_disk("debian", disk(1)).version
    farm.import_disk("debian", disk(2))
    farm.report(server)
    device = farm.add_device("pc1", "debian")
    with farm.ports.transactions.writing() as records:
        records.versions.move(old, old.after(VersionEvent.DELETE))
    assert renew(farm, device, old).version.name == old.name
    farm.application.delete_version(old.name)
    with pytest.raises(RunningVersionUnknownError):
        renew(farm, device, old)


def test_root_of_two_versions_is_renewed_by_the_published_one(farm: FarmInMemory) -> None:
    server = farm.add_server("s1")
    farm.import_disk("debian", disk(1))
    again = farm.import_disk("debian", disk(1), even_if_unchanged=True).version
    farm.report(server)
    device = farm.add_device("pc1", "debian")
    assert str(renew(farm, device, again).version.name) == "debian/2"
    farm.application.retire_version(VersionName.parse("debian/2"))
    farm.application.delete_version(VersionName.parse("debian/2"))
    assert str(renew(farm, device, again).version.name) == "debian/1"


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
    for name, wrong in (("pc1", Token(bytes(32))), ("pc9", Token(bytes(32)))):
        with pytest.raises(TokenWrongError) as refusal:
            recognise(device_name(name), wrong)
        assert (
            refusal.value.message == TokenWrongError("device").message
        )  # which was wrong is not said


def test_a_device_that_claims_to_be_another_is_told_so_and_the_farm_notes_which(
    farm: FarmInMemory,
) -> None:
    keys = {}
    for number, name in enumerate(("pc1", "pc2"), 1):
        mac = MacAddress.parse(f"52:54:00:00:01:0{number}")
        registered = farm.application.register_device(device_name(name), mac)
        keys[name] = farm.ports.secret_files.written[registered.key_file]
    recognise = farm.application.recognise_device
    for claimed in ("pc2", "nobody"):
        for _ in range(3):
            with pytest.raises(DeviceIdentityError) as refusal:
                recognise(device_name(claimed), keys["pc1"], "192.0.2.7")
            assert refusal.value.code == "device-identity"
            assert "pc1" not in refusal.value.message
    for _ in range(3):
        with pytest.raises(TokenWrongError):
            recognise(device_name("pc2"), Token(bytes(32)), "192.0.2.8")
    with pytest.raises(TokenWrongError):
        recognise(device_name("nobody"), Token(bytes(32)), "192.0.2.8")

    def told() -> list[tuple[str, str, str]]:
        found = farm.application.list_audit(AuditFilter(what="device.identity-refused"))
        return [(str(one.entry.actor), one.entry.actor.where, one.entry.thing) for one in found]

    assert told() == [
        ("nobody", "192.0.2.8", "pc2"),
        ("device pc1", "192.0.2.7", "(no such device)"),
        ("device pc1", "192.0.2.7", "pc2"),
    ]
    farm.wait(3600)
    with pytest.raises(DeviceIdentityError):
        recognise(device_name("pc2"), keys["pc1"], "192.0.2.7")
    assert len(told()) == 4


def test_the_refusal_of_a_known_name_waits_for_nothing_that_one_of_an_unknown_name_would_not(
    farm: FarmInMemory,
) -> None:
    farm.add_device("pc1")
    waiting: list[Callable[[], None]] = []
    for name in ("pc1", "nobody"):
        with pytest.raises(TokenWrongError):
            farm.application.recognise_device(
                device_name(name), Token(b"X" * 32), "192.0.2.7", waiting.append
            )
    refused = AuditFilter(what="device.identity-refused")
    assert len(waiting) == 2
    assert not farm.application.list_audit(refused)
    for work in waiting:
        work()
    assert [one.entry.thing for one in farm.application.list_audit(refused)] == ["pc1"]
