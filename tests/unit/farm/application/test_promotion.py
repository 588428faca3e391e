"""Who may start a version: what a person can do, and what is refused."""

from datetime import timedelta

import pytest
from tests.farm_in_memory import FarmInMemory, disk

from corral.farm.application.change_image import ImageEdit
from corral.farm.application.change_server import ServerEdit
from corral.farm.application.promote_version import PromotionRequest
from corral.farm.application.take_server_report import ReportedReplica, ServerReport
from corral.farm.domain.access.actor import Actor, ActorKind
from corral.farm.domain.delivery.device import Device, DeviceName
from corral.farm.domain.estate.store import FIRST_STORE
from corral.farm.domain.image.errors import (
    VersionChangedError,
    VersionLastError,
    VersionNotHeldError,
    VersionTransitionError,
    VersionUnknownError,
)
from corral.farm.domain.image.image import image_name
from corral.farm.domain.image.release import release_time
from corral.farm.domain.image.replica import ReplicaState
from corral.farm.domain.image.standing import Standing
from corral.farm.domain.image.version import Access, Version, VersionName
from corral.farm.domain.image.version_errors import (
    ImageChangedError,
    ReleaseInPastError,
    ReleaseTimeInvalidError,
    VersionNotNewestError,
    VersionNotReleasedError,
    VersionPinnedError,
    VersionStartedError,
)
from corral.farm.domain.image.write_cache import (
    CacheLimitInvalidError,
    CacheSetting,
    ImageCustomError,
    ImageMode,
    ImageStreamedError,
    WriteCache,
)

DEBIAN = image_name("debian")


def name(number: int) -> VersionName:
    return VersionName.parse(f"debian/{number}")


@pytest.fixture
def three(farm: FarmInMemory) -> FarmInMemory:
    """Give a farm with three released versions on ``s1``, and ``pc1`` which starts the newest."""
    server = farm.add_server("s1")
    versions = [farm.import_disk("debian", disk(filling)).version for filling in (1, 2, 3)]
    farm.add_device("pc1", "debian")
    farm.report(server, holds=tuple(versions))
    return farm


def standing(farm: FarmInMemory, number: int) -> Standing:
    return farm.version(f"debian/{number}").standing


def starts(farm: FarmInMemory) -> str:
    return str(farm.application.list_devices()[0].version)


def test_a_version_goes_back_to_test_and_on_again(three: FarmInMemory) -> None:
    app = three.application
    app.revert_version(name(3), Access.TEST)
    assert (standing(three, 3), starts(three)) == (Standing.TEST, "debian/2")
    app.revert_version(name(3), Access.MAINTENANCE)
    app.promote_version(PromotionRequest(name(3), Access.TEST))
    assert (standing(three, 3), starts(three)) == (Standing.TEST, "debian/2")
    assert app.promote_version(PromotionRequest(name(3))).standing is Standing.PRODUCTION
    assert starts(three) == "debian/3"


def test_a_dated_promotion_waits_and_can_be_put_off_and_cut_short(three: FarmInMemory) -> None:
    app, now = three.application, three.ports.clock.now()
    app.revert_version(name(3), Access.TEST)
    pending = app.promote_version(PromotionRequest(name(3), release_at=now + timedelta(hours=1)))
    assert pending.standing is Standing.PENDING
    app.promote_version(PromotionRequest(name(3), release_at=now + timedelta(hours=2)))
    three.wait(3600)
    assert (standing(three, 3), starts(three)) == (Standing.PENDING, "debian/2")
    released = app.release_version(name(3))
    assert (released.standing, starts(three)) == (Standing.PRODUCTION, "debian/3")
    last = app.show_version_history(name(3))[-1]
    assert (last.what, last.note[:10]) == ("release", "waits for ")


def test_what_was_due_stays_released_although_its_server_loses_chunks(three: FarmInMemory) -> None:
    app, now = three.application, three.ports.clock.now()
    app.revert_version(name(3), Access.TEST)
    app.promote_version(PromotionRequest(name(3), release_at=now + timedelta(hours=1)))
    three.wait(3601)
    (server,) = (view.server for view in app.list_servers())
    root, size = three.version("debian/3").root, three.version("debian/3").size_bytes
    lacking = ReportedReplica(root, ReplicaState.FETCHING, 0, size, 0)
    app.take_server_report(
        server.id, ServerReport(generation=three.generation, replicas=(lacking,))
    )
    assert standing(three, 3) is Standing.PRODUCTION


def test_what_was_due_waits_for_no_copy_that_is_asked_for_later(three: FarmInMemory) -> None:
    app, now = three.application, three.ports.clock.now()
    app.revert_version(name(3), Access.TEST)
    app.promote_version(PromotionRequest(name(3), release_at=now + timedelta(hours=1)))
    other = three.add_server("s2")
    three.wait(3601)
    app.replicate_version(name(3), [other.name])
    assert standing(three, 3) is Standing.PRODUCTION


def test_what_was_due_waits_for_no_copy_that_a_policy_asks_for_later(three: FarmInMemory) -> None:
    app, now = three.application, three.ports.clock.now()
    app.set_copies(FIRST_STORE.name, 1)
    app.revert_version(name(3), Access.TEST)
    app.promote_version(PromotionRequest(name(3), release_at=now + timedelta(hours=1)))
    three.add_server("s2")
    three.wait(3601)
    app.set_copies(FIRST_STORE.name, None)
    assert len(app.show_version(name(3)).replicas) == 2
    assert standing(three, 3) is Standing.PRODUCTION


def test_what_was_due_waits_for_no_server_that_comes_back_with_gaps(three: FarmInMemory) -> None:
    app, now = three.application, three.ports.clock.now()
    app.revert_version(name(3), Access.TEST)
    other = three.add_server("s2")
    app.replicate_version(name(3), [other.name])
    app.change_server(other.name, ServerEdit(maintenance=True))
    app.promote_version(PromotionRequest(name(3), release_at=now + timedelta(hours=1)))
    three.wait(3601)
    assert standing(three, 3) is Standing.PRODUCTION
    app.change_server(other.name, ServerEdit(maintenance=False))
    assert standing(three, 3) is Standing.PRODUCTION


def test_the_history_says_who_did_what_and_when(three: FarmInMemory) -> None:
    anna = Actor(ActorKind.ACCOUNT, "anna")
    three.wait(60)
    three.application.acting_as(anna).retire_version(name(1))
    last = three.application.show_version_history(name(1))[-1]
    assert (last.what, last.by, last.at) == ("retire", "account anna", three.ports.clock.now())
    seen = three.version("debian/1")
    assert (seen.changed_by, seen.changed_at) == ("account anna", three.ports.clock.now())


@pytest.mark.parametrize("seconds", [-1, 0])
def test_no_release_is_scheduled_in_the_past(three: FarmInMemory, seconds: int) -> None:
    three.application.revert_version(name(3), Access.TEST)
    at = three.ports.clock.now() + timedelta(seconds=seconds)
    with pytest.raises(ReleaseInPastError, match="already"):
        three.application.promote_version(PromotionRequest(name(3), release_at=at))
    assert standing(three, 3) is Standing.TEST


@pytest.mark.parametrize("text", ["2026-12-01T20:00", "2026-12-01", "tomorrow", "", "20:00+01:00"])
def test_a_release_has_a_date_that_everybody_reads_alike(text: str) -> None:
    with pytest.raises(ReleaseTimeInvalidError, match="zone"):
        release_time(text)


def test_only_the_newest_version_is_reverted(three: FarmInMemory) -> None:
    with pytest.raises(VersionNotNewestError, match="debian/3"):
        three.application.revert_version(name(2), Access.TEST)


def test_a_retired_version_is_no_obstacle_and_comes_back_to_test(three: FarmInMemory) -> None:
    app = three.application
    app.retire_version(name(3))
    assert (standing(three, 3), starts(three)) == (Standing.RETIRED, "debian/2")
    app.revert_version(name(2), Access.TEST)
    assert app.revert_version(name(3), Access.TEST).standing is Standing.TEST
    assert starts(three) == "debian/1"


def test_the_last_version_that_a_device_can_start_stays(three: FarmInMemory) -> None:
    app = three.application
    app.retire_version(name(1))
    app.retire_version(name(2))
    with pytest.raises(VersionLastError, match="pc1"):
        app.retire_version(name(3))
    with pytest.raises(VersionLastError, match="pc1"):
        app.revert_version(name(3), Access.TEST)
    with pytest.raises(VersionLastError, match="pc1"):
        app.delete_version(name(3))


def test_what_a_device_would_start_next_is_not_deleted(three: FarmInMemory) -> None:
    with pytest.raises(VersionStartedError, match="pc1"):
        three.application.delete_version(name(3))
    three.application.retire_version(name(3))
    three.application.delete_version(name(3))
    assert starts(three) == "debian/2"


def test_a_pin_holds_devices_and_protects_the_version(three: FarmInMemory) -> None:
    app = three.application
    assert app.pin_version(name(2)).pinned == 2
    assert starts(three) == "debian/2"
    for refused in (
        lambda: app.retire_version(name(2)),
        lambda: app.delete_version(name(2)),
    ):
        with pytest.raises(VersionPinnedError, match="unpin debian"):
            refused()
    app.retire_version(name(3))
    with pytest.raises(VersionPinnedError):
        app.revert_version(name(2), Access.TEST)
    assert app.show_image(DEBIAN).versions[1].is_pinned
    app.unpin_image(DEBIAN)
    app.unpin_image(DEBIAN)
    assert app.retire_version(name(2)).standing is Standing.RETIRED
    whats = [change.what for change in app.show_version_history(name(2))]
    assert whats == ["publish", "release", "pin", "unpin", "retire"]


def test_only_what_is_released_is_pinned(three: FarmInMemory) -> None:
    three.application.revert_version(name(3), Access.TEST)
    with pytest.raises(VersionNotReleasedError, match="test"):
        three.application.pin_version(name(3))


def test_nothing_is_released_that_no_server_has(three: FarmInMemory) -> None:
    version = three.version("debian/3")
    three.application.revert_version(version.name, Access.TEST)
    with three.ports.transactions.writing() as records:
        (replica,) = records.replicas.of_root(version.root)
        records.replicas.put(replica.doubted(1, three.ports.clock.now()))
    assert three.application.promote_version(PromotionRequest(version.name)).standing == "pending"
    with pytest.raises(VersionNotHeldError, match="no server"):
        three.application.release_version(version.name)


def test_the_second_of_two_people_is_told(three: FarmInMemory) -> None:
    app, seen = three.application, three.version("debian/3")
    app.describe_version(name(3), "with Firefox", seen.revision)
    with pytest.raises(VersionChangedError, match="debian/3"):
        app.promote_version(PromotionRequest(name(3), revision=seen.revision))
    assert three.version("debian/3").description == "with Firefox"
    image = app.show_image(DEBIAN).image
    app.change_image(DEBIAN, ImageEdit(description="for all"), image.revision)
    with pytest.raises(ImageChangedError, match="debian"):
        app.change_image(DEBIAN, ImageEdit(description="for some"), image.revision)


def test_what_is_deleted_or_was_never_there_takes_no_event(three: FarmInMemory) -> None:
    three.application.delete_version(name(1))
    for number in (1, 9):
        with pytest.raises(VersionUnknownError):
            three.application.retire_version(name(number))
    with pytest.raises(VersionTransitionError, match="promote-to-test"):
        three.application.promote_version(PromotionRequest(name(3), Access.TEST))


def second_device(farm: FarmInMemory) -> Device:
    return farm.add_device("pc2", "debian")


def test_a_custom_image_is_for_one_device(three: FarmInMemory) -> None:
    app = three.application
    app.change_image(DEBIAN, ImageEdit(mode=ImageMode.CUSTOM))
    with pytest.raises(ImageCustomError, match="pc1, pc2"):
        second_device(three)
    three.add_device("pc3")
    with pytest.raises(ImageCustomError, match="pc3"):
        app.assign_device(DeviceName("pc3"), DEBIAN)
    app.assign_device(DeviceName("pc1"), DEBIAN)  # what it has already
    app.change_image(DEBIAN, ImageEdit(mode=ImageMode.SHARED))
    second_device(three)
    with pytest.raises(ImageCustomError, match="pc1, pc2"):
        app.change_image(DEBIAN, ImageEdit(mode=ImageMode.CUSTOM))


def test_the_mode_changes_only_while_nobody_runs_the_image(three: FarmInMemory) -> None:
    app = three.application
    (server,) = (view.server for view in app.list_servers())
    (device,) = (view.device for view in app.list_devices())
    version: Version = three.version("debian/2")
    three.report(server, holds=(version,), sessions=((device, version),))
    with pytest.raises(ImageStreamedError, match="pc1"):
        app.change_image(DEBIAN, ImageEdit(mode=ImageMode.CUSTOM))
    app.change_image(DEBIAN, ImageEdit(write_cache=CacheSetting(WriteCache.SERVER)))
    three.report(server, holds=(version,))
    assert app.change_image(DEBIAN, ImageEdit(mode=ImageMode.CUSTOM)).mode is ImageMode.CUSTOM


def test_a_cache_too_small_to_start_with_is_refused() -> None:
    with pytest.raises(CacheLimitInvalidError, match="1 MiB"):
        CacheSetting(limit_bytes=4096)
