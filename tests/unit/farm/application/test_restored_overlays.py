"""What a restored farm sends devices to that write on servers, before and after it was accepted."""

import base64
from dataclasses import replace

import pytest
from tests.unit.farm.application.restored import Restored

from corral.farm.application.change_image import ImageEdit
from corral.farm.application.log_device_in import LoginAnswer
from corral.farm.application.maintain_image import MaintenanceRequest
from corral.farm.domain.access.ticket import Purpose
from corral.farm.domain.backup.errors import FarmObservesError
from corral.farm.domain.delivery.device import Device
from corral.farm.domain.image.image import ImageName
from corral.farm.domain.image.overlay import Overlay, OverlayKind, Promotion
from corral.farm.domain.image.overlay_errors import OverlayNotReadyError
from corral.farm.domain.image.root import RootHash
from corral.farm.domain.image.write_cache import CacheSetting, ImageMode, WriteCache

GOLDEN = ImageName("golden")
ON_SERVER = ImageEdit(write_cache=CacheSetting(WriteCache.SERVER_PERSISTENT))
FORGOTTEN = ImageEdit(write_cache=CacheSetting(WriteCache.SERVER))
OWN = ImageEdit(mode=ImageMode.CUSTOM)


@pytest.fixture
def restored() -> Restored:
    return Restored()


def device_of(restored: Restored, edit: ImageEdit | None = None) -> Device:
    """Add one that the backup knows, as it knows where devices of its image write."""
    device = restored.farm.add_device("pc1", "golden")
    if edit is not None:
        restored.farm.application.change_image(GOLDEN, edit)
    restored.backup = restored.transactions.kept()
    return device


def log_in(restored: Restored, device: Device, running: RootHash | None = None) -> LoginAnswer:
    return restored.farm.application.log_device_in(device.id, running)


def begin(restored: Restored, device: Device) -> LoginAnswer:
    """Log in, once the server has made what the device writes to."""
    with pytest.raises(OverlayNotReadyError):
        log_in(restored, device)
    restored.make_overlays()
    return log_in(restored, device)


def overlay_of(restored: Restored, device: Device) -> Overlay:
    with restored.transactions.reading() as records:
        (overlay,) = records.overlays.of_device(device.id)
    return overlay


def has_none(restored: Restored, device: Device) -> bool:
    with restored.transactions.reading() as records:
        return not records.overlays.of_device(device.id)


def is_for_writing(answer: LoginAnswer) -> bool:
    return base64.urlsafe_b64decode(answer.ticket + "==")[1] == Purpose.WRITE


@pytest.mark.parametrize("kind", [OverlayKind.MAINTENANCE, OverlayKind.CUSTOM, "persistent"])
def test_a_device_finds_what_it_began_after_the_backup(
    restored: Restored, kind: OverlayKind | str
) -> None:
    edit = {OverlayKind.CUSTOM: OWN, "persistent": ON_SERVER}.get(kind)
    device = device_of(restored, edit)
    if kind is OverlayKind.MAINTENANCE:
        restored.farm.application.maintain_image(MaintenanceRequest(GOLDEN, device.name))
    before = begin(restored, device)
    overlay = overlay_of(restored, device)
    restored.restore()
    restored.hear()
    assert has_none(restored, device)
    # Whether it starts or goes on, and nothing is begun by it.
    for running in (None, before.version.root):
        answer = log_in(restored, device, running)
        assert is_for_writing(answer)
        assert answer.export == before.export
        assert [one.id for one in answer.servers] == [overlay.server_id]
    assert has_none(restored, device)
    assert restored.codes()[0] == "overlay-newer device pc1"
    restored.accept()
    restored.hear()
    assert overlay_of(restored, device).id == overlay.id
    assert log_in(restored, device).export == before.export


def test_what_a_start_gives_up_is_given_up_in_a_restored_farm_too(restored: Restored) -> None:
    device = device_of(restored, FORGOTTEN)
    before = begin(restored, device)
    given_up = overlay_of(restored, device)
    restored.restore()
    restored.hear()
    assert is_for_writing(log_in(restored, device, before.version.root))
    assert is_for_writing(begin(restored, device))
    assert overlay_of(restored, device).id != given_up.id


def test_a_device_goes_on_writing_over_a_version_that_only_servers_know(
    restored: Restored,
) -> None:
    device = device_of(restored, ON_SERVER)
    second = restored.publish(2)
    before = begin(restored, device)
    restored.restore()
    restored.hear()
    answer = log_in(restored, device, second.root)
    assert (answer.export, is_for_writing(answer)) == (before.export, True)
    assert answer.version.root == second.root


def test_nobody_gets_an_empty_disk_while_a_server_may_have_his_own(restored: Restored) -> None:
    device = device_of(restored, OWN)
    before = begin(restored, device)
    keeper = overlay_of(restored, device).server_id
    (silent,) = (name for name, one in restored.servers.items() if one.id == keeper)
    restored.restore()
    others = [name for name in restored.servers if name != silent]
    restored.hear(*others)
    with pytest.raises(FarmObservesError):
        log_in(restored, device)
    restored.hear(silent)
    assert log_in(restored, device).export == before.export


def test_nobody_waits_for_a_server_that_is_lost_once_that_was_accepted(restored: Restored) -> None:
    device = device_of(restored, OWN)
    restored.restore()
    restored.hear("s1")
    with pytest.raises(FarmObservesError):
        log_in(restored, device)
    restored.accept()
    assert begin(restored, device).overlay is not None


def test_what_was_given_up_after_the_backup_is_no_more(restored: Restored) -> None:
    """Its server was told so, and offers it to nobody."""
    device = device_of(restored, OWN)
    begin(restored, device)
    given_up = overlay_of(restored, device)
    restored.backup = restored.transactions.kept()
    restored.farm.application.reset_device_cache(device.name, also_custom=True)
    restored.farm.wait(1)
    restored.restore()
    restored.hear()
    assert restored.codes()[0] == f"overlay-gone overlay {given_up.id}"
    with pytest.raises(OverlayNotReadyError):
        log_in(restored, device)
    with restored.transactions.reading() as records:
        begun = [one for one in records.overlays.of_device(device.id) if one.id != given_up.id]
    assert [one.kind for one in begun] == [OverlayKind.CUSTOM]
    restored.accept()
    assert overlay_of(restored, device) == replace(begun[0], seen=overlay_of(restored, device).seen)


@pytest.mark.parametrize("edit", [ON_SERVER, FORGOTTEN])
def test_a_cache_that_a_device_runs_with_by_now_is_not_taken_from_it(
    restored: Restored, edit: ImageEdit
) -> None:
    """It started a version that the backup knows, and its cache of before is over another."""
    device = device_of(restored, edit)
    restored.publish(2)
    begin(restored, device)
    before = overlay_of(restored, device)
    restored.farm.wait(1)
    restored.restore()
    restored.hear()
    assert "overlay-newer device pc1" in restored.codes()
    assert begin(restored, device).export == "golden/1@pc1"
    begun = overlay_of(restored, device)
    assert "overlay-newer device pc1" not in restored.codes()
    restored.accept()
    assert overlay_of(restored, device).id == begun.id != before.id
    restored.hear()
    assert restored.farm.application.show_status().observing is None


def test_people_change_no_disks_while_the_farm_observes(restored: Restored) -> None:
    device = device_of(restored)
    application = restored.farm.application
    request = MaintenanceRequest(GOLDEN, device.name)
    application.maintain_image(request)
    restored.backup = restored.transactions.kept()
    restored.restore()
    restored.hear()
    for refused in (
        lambda: application.maintain_image(request),
        lambda: application.promote_maintenance(GOLDEN, Promotion()),
        lambda: application.discard_maintenance(GOLDEN),
        lambda: application.reset_device_cache(device.name),
    ):
        with pytest.raises(FarmObservesError):
            refused()
    restored.accept()
    application.discard_maintenance(GOLDEN)
    assert has_none(restored, device)
