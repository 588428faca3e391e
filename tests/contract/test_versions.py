"""Who may start a version, its history, and the write caches of devices, in every database."""

from dataclasses import replace
from uuid import UUID

import pytest

from corral.farm.application.ports.records import Transactions
from corral.farm.domain.delivery.device import Login
from corral.farm.domain.estate.server import ServerId
from corral.farm.domain.image.change import PUBLISH, VersionChange
from corral.farm.domain.image.errors import VersionChangedError
from corral.farm.domain.image.standing import Standing, VersionEvent
from corral.farm.domain.image.version import VersionNumber
from corral.farm.domain.image.version_errors import ImageChangedError
from corral.farm.domain.image.write_cache import (
    CacheFallback,
    CacheSetting,
    DeviceCache,
    ImageMode,
    UsedCache,
    WriteCache,
)
from tests.contract.things import NOW, device, image, later, root, server, version

DEBIAN = image("debian", 1)
FEDORA = image("fedora", 2)


@pytest.fixture(autouse=True)
def _images(transactions: Transactions) -> None:
    with transactions.writing() as records:
        records.images.add(DEBIAN)
        records.images.add(FEDORA)
        records.servers.add(server("s1", 1))
        records.versions.publish(version(DEBIAN, 1, 1))


def test_where_a_version_stands_is_kept(transactions: Transactions) -> None:
    seen = version(DEBIAN, 1, 1)
    moves = [
        seen.scheduled(later(60)),
        seen.released(later(61)),
        seen.after(VersionEvent.REVERT_TO_TEST),
        seen.after(VersionEvent.REVERT_TO_MAINTENANCE),
        seen.after(VersionEvent.RETIRE),
    ]
    assert [one.standing for one in moves] == [
        Standing.PENDING,
        Standing.PRODUCTION,
        Standing.TEST,
        Standing.MAINTENANCE,
        Standing.RETIRED,
    ]
    for move in moves:
        with transactions.writing() as records:
            known = records.versions.get(seen.name)
            after = replace(move, revision=known.revision).changed("anna", later(2))
            records.versions.move(known, after)
        with transactions.reading() as records:
            assert records.versions.get(seen.name) == after


def test_the_second_of_two_changes_to_a_version_is_told(transactions: Transactions) -> None:
    seen = version(DEBIAN, 1, 1)
    with transactions.writing() as records:
        records.versions.move(seen, replace(seen, description="first").changed("anna", NOW))
    with transactions.writing() as records, pytest.raises(VersionChangedError, match="debian/1"):
        records.versions.move(seen, replace(seen, description="second").changed("bob", NOW))
    with transactions.reading() as records:
        assert records.versions.get(seen.name).description == "first"


def test_the_second_of_two_changes_to_an_image_is_told(transactions: Transactions) -> None:
    first = replace(
        DEBIAN,
        description="for the reading room",
        mode=ImageMode.CUSTOM,
        pinned=VersionNumber(1),
        only_server=ServerId(UUID(int=7)),
        write_cache=CacheSetting(WriteCache.DEVICE_DISK_PERSISTENT, 1 << 40, CacheFallback.REFUSE),
    ).changed()
    with transactions.writing() as records:
        records.images.change(DEBIAN, first)
    with transactions.writing() as records, pytest.raises(ImageChangedError, match="debian"):
        records.images.change(DEBIAN, replace(DEBIAN, description="for all").changed())
    with transactions.reading() as records:
        # The number of the last version is publishing's: a change never sets it back.
        assert records.images.get(DEBIAN.name) == replace(first, last_number=1)
        assert records.images.get(FEDORA.name) == FEDORA


def test_a_removed_image_leaves_its_name_and_number_and_nothing_else(
    transactions: Transactions,
) -> None:
    one = VersionNumber(1)
    with transactions.writing() as records:
        records.versions.publish(version(FEDORA, 1, 1))
        pc1 = device("pc1", 1)
        records.devices.add(pc1)
        for of in (DEBIAN, FEDORA):
            records.version_changes.note(VersionChange(of.id, one, NOW, "admin", PUBLISH))
        records.devices.set_login(pc1.id, Login(None, NOW, DEBIAN.id))
        records.images.remove(DEBIAN.id)
        assert [image.name for image in records.images.all()] == [FEDORA.name]
        assert [str(version.name) for version in records.versions.all()] == [f"{FEDORA.name}/1"]
        assert not records.version_changes.of_version(DEBIAN.id, one)
        assert records.version_changes.of_version(FEDORA.id, one)
        assert records.devices.get(pc1.name).last_login == Login(None, NOW, None)
        assert records.images.find_last_number(DEBIAN.name) == 1
        assert records.images.find_last_number(FEDORA.name) == 0
    # Another of that name may come and go, and what it leaves is never less.
    with transactions.writing() as records:
        again = replace(image("debian", 3), last_number=1)
        records.images.add(again)
        records.versions.publish(version(again, 2, 2))
        records.images.remove(again.id)
        records.images.add(image("debian", 4))
        records.images.remove(image("debian", 4).id)
    with transactions.reading() as records:
        assert records.images.find_last_number(DEBIAN.name) == 2


def test_a_history_keeps_its_order_and_its_version(transactions: Transactions) -> None:
    lines = [
        VersionChange(DEBIAN.id, VersionNumber(1), later(-place), "anna", PUBLISH, f"note {place}")
        for place in range(3)
    ]
    other = VersionChange(FEDORA.id, VersionNumber(1), NOW, "été ✓", PUBLISH)
    with transactions.writing() as records:
        for line in (lines[0], other, *lines[1:]):
            records.version_changes.note(line)
    with transactions.reading() as records:
        assert records.version_changes.of_version(DEBIAN.id, VersionNumber(1)) == lines
        assert records.version_changes.of_version(FEDORA.id, VersionNumber(1)) == [other]
        assert records.version_changes.of_version(DEBIAN.id, VersionNumber(2)) == []


def test_what_a_device_is_told_and_what_it_uses_are_two_things(transactions: Transactions) -> None:
    pc1, pc2 = device("pc1", 1), device("pc2", 2)
    setting = CacheSetting(WriteCache.DEVICE_DISK, 1 << 33, CacheFallback.SERVER)
    used = UsedCache(WriteCache.SERVER, later(3), 1 << 34, 1 << 20, "no disk")
    with transactions.writing() as records:
        records.devices.add(pc1)
        records.devices.add(pc2)
        assert records.device_caches.with_id(pc1.id) == DeviceCache(pc1.id)
        records.device_caches.set_setting(pc1.id, setting)
        records.device_caches.set_used(pc1.id, used)
        records.device_caches.set_used(pc2.id, UsedCache(WriteCache.DEVICE_RAM, NOW))
    with transactions.writing() as records:
        assert records.device_caches.all() == {
            pc1.id: DeviceCache(pc1.id, setting, used),
            pc2.id: DeviceCache(pc2.id, None, UsedCache(WriteCache.DEVICE_RAM, NOW)),
        }
        records.device_caches.set_setting(pc1.id, None)
        assert records.device_caches.with_id(pc1.id) == DeviceCache(pc1.id, None, used)


def test_a_version_that_was_forgotten_is_adopted_under_its_number(
    transactions: Transactions,
) -> None:
    with transactions.writing() as records:
        records.versions.adopt(version(DEBIAN, 4, 4))
        records.versions.adopt(version(DEBIAN, 3, 3))
    with transactions.writing() as records:
        assert records.images.get(DEBIAN.name).last_number == 4
        assert records.versions.with_root(root(3)) == [version(DEBIAN, 3, 3)]
        with pytest.raises(VersionChangedError, match="debian/4"):
            records.versions.adopt(version(DEBIAN, 4, 5))
        assert records.versions.get(version(DEBIAN, 4, 4).name).root == root(4)
        records.versions.publish(version(DEBIAN, 5, 5))
