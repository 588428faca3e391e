"""The farm check over records."""

from datetime import timedelta

from tests.farm_in_memory import FarmInMemory, disk

from corral.farm.application.check_farm import FarmCheck
from corral.farm.application.take_server_report import ReportedSession, ServerReport
from corral.farm.domain.delivery.device import DeviceId
from corral.farm.domain.estate.server import Server
from corral.farm.domain.image.version import Version


def sound_farm(farm: FarmInMemory) -> tuple[list[Server], Version]:
    servers = [farm.add_server(name) for name in ("s1", "s2", "s3")]
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


def test_a_sound_farm_passes_with_notices_only(farm: FarmInMemory) -> None:
    sound_farm(farm)
    report = farm.application.check_farm()
    assert things(report) == {"backup-missing": {"farm"}}
    assert report.is_passed
    (version,) = report.versions
    assert version.servers == ("s1", "s2", "s3")
    assert (version.running, version.starting) == (0, 1)
    assert [one.check for one in report.not_applicable] == ["certificates", "stores of two farms"]


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
        "backup-missing": {"farm"},
    }


def test_what_nobody_serves_and_who_cannot_start(farm: FarmInMemory) -> None:
    sound_farm(farm)
    farm.wait(6)
    report = farm.application.check_farm()
    assert things(report)["device-cannot-start"] == {"device pc1"}
    assert things(report)["server-silent"] == {"server s1", "server s2", "server s3"}


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
