"""Who may start a version, its history, and the write caches of devices, in every database."""

from dataclasses import replace

import pytest

from corral.farm.application.ports.records import Transactions
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
from tests.contract.things import NOW, device, image, later, server, version

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
