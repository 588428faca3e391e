"""The farm check over records."""

from datetime import timedelta
from pathlib import Path

import pytest
from tests.farm_in_memory import FarmInMemory, disk

from corral.farm.adapters.certificates import new_key
from corral.farm.adapters.memory.tasks import MemoryTaskEngine
from corral.farm.application.change_server import ServerEdit
from corral.farm.application.check_farm import FarmCheck
from corral.farm.application.create_backup import BackupWish
from corral.farm.application.progress import Progress
from corral.farm.application.set_backups import BackupRulesWish
from corral.farm.application.take_server_report import ReportedSession, ServerReport
from corral.farm.domain.backup.backup import Backup, Recipient
from corral.farm.domain.delivery.device import DeviceId, device_name
from corral.farm.domain.delivery.errors import NoRoomForDeviceError
from corral.farm.domain.estate.address import Address
from corral.farm.domain.estate.capacity import device_limit
from corral.farm.domain.estate.server import RefusedExport, Server
from corral.farm.domain.image.version import Version
from corral.farm.domain.task.worker import Worker


def sound_farm(farm: FarmInMemory) -> tuple[list[Server], Version]:
    servers = [farm.add_server(name) for name in ("s1", "s2", "s3")]
    answers_logins = ServerEdit(management=Address("127.0.0.1", 10_700))
    farm.application.change_server(servers[0].name, answers_logins)
    version = farm.import_disk("debian", disk(1)).version
    farm.report(servers[0])
    for server in servers[1:]:
        farm.replicate(version, server)
    farm.add_device("pc1", "debian")
    return servers, version


def things(report: FarmCheck) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for one in report.findings:
        found.setdefault(one.kind.code, set()).add(one.thing)
    return found


def test_servers_that_advertise_one_address_are_found(farm: FarmInMemory) -> None:
    servers, _ = sound_farm(farm)
    back_up(farm)
    here = Address("192.0.2.10", 10_809)
    for server in servers[:2]:
        farm.application.change_server(server.name, ServerEdit(advertised=(here,)))
    report = farm.application.check_farm()
    assert things(report)["addresses-shared"] == {"address 192.0.2.10:10809"}
    assert not report.is_passed
    (one,) = [f for f in report.findings if f.kind.code == "addresses-shared"]
    assert "s1 (devices) and s2 (devices)" in one.message
    assert report.login_addresses == ("http://127.0.0.1:10800", "127.0.0.1:10700")


def test_a_sound_farm_passes_with_notices_only(farm: FarmInMemory) -> None:
    sound_farm(farm)
    report = farm.application.check_farm()
    assert things(report) == {"backup-missing": {"farm"}}
    assert not report.is_passed
    back_up(farm)
    report = farm.application.check_farm()
    assert things(report) == {"backup-unverified": {"farm"}}
    assert report.is_passed
    (version,) = report.versions
    assert version.servers == ("s1", "s2", "s3")
    assert (version.running, version.starting) == (0, 1)
    assert [one.check for one in report.not_applicable] == ["stores of two farms"]


def back_up(farm: FarmInMemory) -> Backup:
    wish = BackupWish(Path("/backups"), (Recipient("age1somebody"),))
    return farm.application.create_backup(wish, Progress()).backup


def test_a_backup_grows_old_and_a_verified_one_is_as_it_should_be(farm: FarmInMemory) -> None:
    backup = back_up(farm)
    assert farm.application.note_verified_backup(backup.id)
    assert things(farm.application.check_farm()) == {}
    farm.application.set_backups(BackupRulesWish(too_old_days=3))
    farm.wait(3 * 86_400)
    assert things(farm.application.check_farm()) == {}
    farm.wait(1)
    (only,) = farm.application.check_farm().findings
    assert (only.kind.code, only.message) == (
        "backup-old",
        "its newest backup is 3.0 days old, more than 3",
    )


def test_a_farm_of_one_server_is_told_what_its_loss_would_do(farm: FarmInMemory) -> None:
    server = farm.add_server("s1")
    version = farm.import_disk("debian", disk(1)).version
    device = farm.add_device("pc1", "debian")
    farm.report(server, sessions=((device, version),))
    report = farm.application.check_farm()
    assert not report.is_passed
    assert things(report) == {
        "loss-strands-devices": {"server s1"},
        "version-on-one-server": {"version debian/1"},
        "device-one-server": {"device pc1"},
        "login-one-address": {"farm"},
        "backup-missing": {"farm"},
    }


def test_what_a_server_does_not_offer_is_told_while_it_says_so(farm: FarmInMemory) -> None:
    servers, version = sound_farm(farm)
    refused = (RefusedExport(str(version.name), "flat-file", "no space left"),)
    farm.application.take_server_report(
        servers[1].id, ServerReport(generation=farm.generation, refused=refused)
    )
    report = farm.application.check_farm()
    assert things(report)["export-refused"] == {"version debian/1"}
    assert report.versions[0].servers == ("s1", "s3")
    farm.wait(6)
    assert "export-refused" not in things(farm.application.check_farm())


def test_a_drained_server_is_none_that_can_serve_who_comes_now(farm: FarmInMemory) -> None:
    servers, _ = sound_farm(farm)
    farm.application.drain_server(servers[1].name)
    farm.application.change_server(servers[2].name, ServerEdit(maintenance=True))
    report = farm.application.check_farm()
    assert report.versions[0].servers == ("s1",)
    assert things(report)["version-on-one-server"] == {"version debian/1"}


def test_only_a_server_that_is_heard_of_answers_logins(farm: FarmInMemory) -> None:
    servers, _ = sound_farm(farm)
    assert "login-one-address" not in things(farm.application.check_farm())
    farm.wait(6)
    farm.report(servers[1])
    assert things(farm.application.check_farm())["login-one-address"] == {"farm"}


def test_what_waits_for_a_worker_is_told_until_one_is_heard_of(farm: FarmInMemory) -> None:
    sound_farm(farm)
    farm.application.start_task("heal", {"server": "s1"})
    assert things(farm.application.check_farm())["no-worker"] == {"farm"}
    worker = Worker("w1", None, farm.ports.clock.now())
    farm.application.dispatch_tasks(MemoryTaskEngine(), worker, 0)
    assert "no-worker" not in things(farm.application.check_farm())
    farm.wait(16)
    assert things(farm.application.check_farm())["no-worker"] == {"farm"}


def test_a_worker_whose_account_is_refused_is_named_while_it_is_heard_of(
    farm: FarmInMemory,
) -> None:
    sound_farm(farm)
    worker = Worker("w1", None, farm.ports.clock.now(), "password authentication failed")
    farm.application.dispatch_tasks(MemoryTaskEngine(), worker, 0)
    found = {one.kind.code: one for one in farm.application.check_farm().findings}
    assert found["account-refused"].thing == "worker w1"
    assert "password authentication failed" in found["account-refused"].message
    farm.wait(16)
    assert "account-refused" not in things(farm.application.check_farm())


def test_what_nobody_serves_and_who_cannot_start(farm: FarmInMemory) -> None:
    sound_farm(farm)
    farm.wait(6)
    report = farm.application.check_farm()
    assert things(report)["device-cannot-start"] == {"device pc1"}
    assert things(report)["server-silent"] == {"server s1", "server s2", "server s3"}


def test_a_device_in_a_full_farm_can_start_where_it_is(farm: FarmInMemory) -> None:
    servers, _ = sound_farm(farm)
    for server in servers:
        farm.application.change_server(server.name, ServerEdit(max_devices=device_limit(1)))
    for number in (1, 2, 3):
        farm.application.log_device_in(farm.add_device(f"full{number}", "debian").id)
    found = things(farm.application.check_farm())
    # Only for the fourth one there is no room.
    assert found["device-cannot-start"] == {"device pc1"}


def test_a_device_that_waits_while_others_start_can_start(farm: FarmInMemory) -> None:
    servers, _ = sound_farm(farm)
    for server in servers:
        edit = ServerEdit(max_devices_booting=device_limit(1))
        farm.application.change_server(server.name, edit)
    for number in (1, 2, 3):
        farm.application.log_device_in(farm.add_device(f"boots{number}", "debian").id)
    pc1 = farm.application.show_device(device_name("pc1")).device
    with pytest.raises(NoRoomForDeviceError):
        farm.application.log_device_in(pc1.id)
    assert "device-cannot-start" not in things(farm.application.check_farm())


def test_a_disabled_device_and_one_without_an_image_are_left_alone(farm: FarmInMemory) -> None:
    sound_farm(farm)
    farm.add_device("pc2")
    assert things(farm.application.check_farm()) == {"backup-missing": {"farm"}}


def test_a_servers_clock_is_compared_when_it_reports(farm: FarmInMemory) -> None:
    servers, _ = sound_farm(farm)
    ahead = farm.ports.clock.now() + timedelta(minutes=10)
    farm.application.take_server_report(
        servers[0].id, ServerReport(generation=farm.generation, sent_at=ahead)
    )
    report = farm.application.check_farm()
    assert things(report)["clock-wrong"] == {"server s1"}
    assert "600 s ahead" in next(f.message for f in report.findings if f.thing == "server s1")


def test_certificates_are_known_from_reports_and_from_the_api(farm: FarmInMemory) -> None:
    servers, _ = sound_farm(farm)
    now = farm.ports.clock.now()
    ends = {"s1": timedelta(days=60), "s2": timedelta(days=13), "s3": timedelta(seconds=-1)}
    for server in servers:
        farm.application.take_server_report(
            server.id,
            ServerReport(farm.generation, certificate_ends_at=now + ends[server.name]),
        )
    found = things(farm.application.check_farm())
    assert found["certificate-expires-soon"] == {"server s2"}
    assert found["certificate-expired"] == {"server s3"}
    shown = farm.application.show_certificates()
    assert [(one.server, one.ends_at) for one in shown.servers] == [
        (name, now + left) for name, left in ends.items()
    ]
    _, public = new_key()
    farm_itself = farm.application.show_farm().farm
    farm.application.certify_api(farm_itself, Address("127.0.0.1", 10_800), (), public)
    assert "API" not in things(farm.application.check_farm()).get("certificate-expired", ())
    farm.wait(91 * 86_400)
    assert "API" in things(farm.application.check_farm())["certificate-expired"]


def test_a_server_that_streams_under_tls_gives_its_chunks_as_before(farm: FarmInMemory) -> None:
    servers, version = sound_farm(farm)
    for server in servers:
        report = ServerReport(farm.generation, requires_tls=True)
        farm.application.take_server_report(server.id, report)
    wanted = farm.application.configure_server(servers[0].id)
    (replica,) = (one for one in wanted.replicas if one.root == version.root)
    assert {peer.url.partition("://")[0] for peer in replica.peers} == {"http"}


def test_chunks_are_asked_for_under_tls_where_a_server_demands_it(farm: FarmInMemory) -> None:
    servers, version = sound_farm(farm)
    for server in servers[1:]:
        report = ServerReport(farm.generation, chunks_require_tls=True)
        farm.application.take_server_report(server.id, report)
    wanted = farm.application.configure_server(servers[0].id)
    (replica,) = (one for one in wanted.replicas if one.root == version.root)
    assert {peer.url.partition("://")[0] for peer in replica.peers} == {"https"}
    assert {peer.url.partition("://")[0] for peer in wanted.others} == {"https"}
    assert wanted.certificate_authority.startswith("-----BEGIN CERTIFICATE-----")


def test_sessions_of_nobodys_device_are_told(farm: FarmInMemory) -> None:
    servers, _ = sound_farm(farm)
    stranger = DeviceId(farm.ports.ids.new())
    session = ReportedSession(stranger, "debian/1", "192.0.2.9:1", farm.ports.clock.now(), 1)
    farm.application.take_server_report(
        servers[1].id, ServerReport(generation=farm.generation, sessions=(session,))
    )
    assert things(farm.application.check_farm())["unknown-sessions"] == {"server s2"}


def test_the_check_changes_nothing(farm: FarmInMemory) -> None:
    sound_farm(farm)
    with farm.ports.transactions.reading() as records:
        before = records.places.all(), records.devices.all()
    farm.application.check_farm()
    with farm.ports.transactions.reading() as records:
        assert (records.places.all(), records.devices.all()) == before
