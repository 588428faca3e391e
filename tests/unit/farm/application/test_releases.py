"""When production devices start a version that was promoted: computed, never done by a job."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.farm_in_memory import FarmInMemory, disk

from corral.farm.application.change_device import DeviceEdit
from corral.farm.application.change_server import ServerEdit
from corral.farm.application.import_image import ImportRequest
from corral.farm.application.note_releases import FARM
from corral.farm.application.progress import Progress
from corral.farm.domain.check.finding import Kind
from corral.farm.domain.delivery.device import Device, DeviceType
from corral.farm.domain.estate.server import Server
from corral.farm.domain.estate.store import FIRST_STORE
from corral.farm.domain.image.standing import Standing, VersionEvent
from corral.farm.domain.image.version import Access, Version, VersionName
from corral.farm.domain.image.version_errors import ReleaseInPastError, VersionWaitsError


def standing(farm: FarmInMemory, version: Version) -> Standing:
    return farm.application.show_version(version.name).version.standing


def started(farm: FarmInMemory, device: Device) -> str:
    return str(farm.application.log_device_in(device.id).version.name)


def as_pending(farm: FarmInMemory, version: Version, *, seconds: float | None = None) -> None:
    """Set a release back, as a promotion does that comes before its servers have it."""
    now = farm.ports.clock.now()
    with farm.ports.transactions.writing() as records:
        seen = records.versions.get(version.name)
        again = seen.after(VersionEvent.REVERT_TO_TEST).promoted(
            None if seconds is None else now + timedelta(seconds=seconds)
        )
        records.versions.move(seen, again.changed("anna", now))


@pytest.fixture
def two(farm: FarmInMemory) -> tuple[Server, Server]:
    return farm.add_server("s1"), farm.add_server("s2")


def test_an_import_is_released_at_once_where_nobody_else_must_have_it(farm: FarmInMemory) -> None:
    farm.add_server("s1")
    version = farm.import_disk("debian", disk(1)).version
    assert version.standing is Standing.PRODUCTION
    assert version.released_at == farm.ports.clock.now()
    with farm.ports.transactions.reading() as records:
        changes = records.version_changes.of_version(version.image_id, version.number)
    assert [(one.what, one.by) for one in changes] == [("publish", "farm"), ("release", FARM)]


def test_devices_start_the_older_version_until_the_last_server_has_the_new_one(
    farm: FarmInMemory, two: tuple[Server, Server]
) -> None:
    first = farm.import_disk("debian", disk(1)).version
    second = farm.import_disk("debian", disk(2)).version
    device = farm.add_device("pc1", "debian")
    farm.report(two[0], holds=(first, second))
    farm.application.replicate_version(second.name, [two[1].name])
    as_pending(farm, second)
    assert standing(farm, second) is Standing.PENDING
    waits = str(farm.application.show_version(second.name).wait)
    assert waits.startswith(f"s2 lacks {second.size_bytes} bytes (silent since ")
    assert started(farm, device) == "debian/1"
    farm.report(two[1], holds=(second,))
    assert standing(farm, second) is Standing.PRODUCTION
    assert started(farm, device) == "debian/2"


def test_the_date_comes_without_anybody_doing_anything(
    farm: FarmInMemory, two: tuple[Server, Server]
) -> None:
    first = farm.import_disk("debian", disk(1)).version
    second = farm.import_disk("debian", disk(2)).version
    device = farm.add_device("pc1", "debian")
    as_pending(farm, second, seconds=3600)
    farm.report(two[0], holds=(first, second))
    assert started(farm, device) == "debian/1"
    farm.wait(3599)
    farm.report(two[0], holds=(first, second))
    assert started(farm, device) == "debian/1"
    farm.wait(1)
    # A list says what a login would do, though nothing was recorded yet.
    assert standing(farm, second) is Standing.PRODUCTION
    assert farm.application.list_devices()[0].version == VersionName.parse("debian/2")
    assert started(farm, device) == "debian/2"
    with farm.ports.transactions.reading() as records:
        assert records.versions.get(second.name).released_at == farm.ports.clock.now()


def test_what_was_released_stays_so_when_a_server_is_to_hold_it_later(
    farm: FarmInMemory, two: tuple[Server, Server]
) -> None:
    farm.import_disk("debian", disk(1))
    second = farm.import_disk("debian", disk(2)).version
    farm.application.replicate_version(second.name, [two[1].name])
    assert standing(farm, second) is Standing.PRODUCTION


def test_a_device_whose_only_version_waits_is_told_for_what(
    farm: FarmInMemory, two: tuple[Server, Server]
) -> None:
    only = farm.import_disk("debian", disk(1)).version
    device = farm.add_device("pc1", "debian")
    farm.report(two[0], holds=(only,))
    farm.application.replicate_version(only.name, [two[1].name])
    as_pending(farm, only)
    with pytest.raises(VersionWaitsError, match=f"s2 lacks {only.size_bytes} bytes"):
        farm.application.log_device_in(device.id)


def test_a_running_device_renews_for_a_version_that_was_taken_back(
    farm: FarmInMemory, two: tuple[Server, Server]
) -> None:
    farm.import_disk("debian", disk(1))
    second = farm.import_disk("debian", disk(2)).version
    device = farm.add_device("pc1", "debian")
    farm.report(two[0], holds=(second,))
    assert started(farm, device) == "debian/2"
    as_pending(farm, second, seconds=60)
    renewed = farm.application.log_device_in(device.id, second.root)
    assert str(renewed.version.name) == "debian/2"


def test_an_import_can_be_tried_before_it_is_for_everybody(
    farm: FarmInMemory, two: tuple[Server, Server]
) -> None:
    first = farm.import_disk("debian", disk(1)).version
    device = farm.add_device("pc1", "debian")
    path = Path("/disks/debian")
    farm.ports.files[path] = disk(2)
    request = ImportRequest(first.name.image, path, to=Access.TEST)
    tried = farm.application.import_image(request, Progress()).version
    assert tried.standing is Standing.TEST
    farm.report(two[0], holds=(first, tried))
    assert started(farm, device) == "debian/1"
    farm.application.change_device(device.name, DeviceEdit(type=DeviceType.TEST))
    assert started(farm, device) == "debian/2"


def test_an_import_waits_for_its_date(farm: FarmInMemory, two: tuple[Server, Server]) -> None:
    version = farm.import_disk("debian", disk(1)).version
    path, now = Path("/disks/debian"), farm.ports.clock.now()
    farm.ports.files[path] = disk(2)
    request = ImportRequest(version.name.image, path, release_at=now + timedelta(hours=1))
    dated = farm.application.import_image(request, Progress()).version
    assert dated.standing is Standing.PENDING
    farm.wait(3600)
    farm.report(two[0], holds=(version, dated))
    assert standing(farm, dated) is Standing.PRODUCTION
    with pytest.raises(ReleaseInPastError):
        farm.application.import_image(replace(request, release_at=now), Progress())


def test_whoever_holds_a_release_up_is_named_with_the_ways_out(
    farm: FarmInMemory, two: tuple[Server, Server]
) -> None:
    farm.application.set_copies(FIRST_STORE.name, None)
    here, away = two
    farm.report(away)
    heard_at = farm.ports.clock.now()
    version = farm.import_disk("debian", disk(1)).version
    farm.wait(60)
    farm.report(here, holds=(version,))
    view = farm.application.show_version(version.name)
    assert view.version.standing is Standing.PENDING
    assert [(one.server, one.silent_since) for one in view.wait.silent] == [("s2", heard_at)]
    (pending,) = farm.application.show_status().pending
    assert (pending.version.name, pending.wait) == (version.name, view.wait)
    (finding,) = (
        one for one in farm.application.check_farm().findings if one.kind is Kind.RELEASE_WAITS
    )
    assert "s2 lacks" in finding.message
    assert "silent since" in finding.message
    for way_out in ("start that server", "image release", "server maintenance", "server remove"):
        assert way_out in Kind.RELEASE_WAITS.way_out


def test_maintenance_of_the_awaited_server_releases_the_version_and_that_stays_so(
    farm: FarmInMemory, two: tuple[Server, Server]
) -> None:
    farm.application.set_copies(FIRST_STORE.name, None)
    here, away = two
    version = farm.import_disk("debian", disk(1)).version
    farm.report(here, holds=(version,))
    assert standing(farm, version) is Standing.PENDING
    farm.application.change_server(away.name, ServerEdit(maintenance=True))
    assert standing(farm, version) is Standing.PRODUCTION
    farm.application.change_server(away.name, ServerEdit(maintenance=False))
    assert standing(farm, version) is Standing.PRODUCTION
    assert not farm.application.show_status().pending


def test_a_server_that_is_silent_for_a_day_holds_no_release_up(
    farm: FarmInMemory, two: tuple[Server, Server]
) -> None:
    farm.application.set_copies(FIRST_STORE.name, None)
    here, _ = two
    version = farm.import_disk("debian", disk(1)).version
    device = farm.add_device("pc1", "debian")
    for hours, expected in ((23, Standing.PENDING), (2, Standing.PRODUCTION)):
        farm.wait(hours * 3600)
        farm.report(here, holds=(version,))
        assert standing(farm, version) is expected
    assert started(farm, device) == "debian/1"
