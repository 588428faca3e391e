from pathlib import Path

import pytest
from tests.farm_in_memory import FarmInMemory, disk

from corral.farm.application.add_collection import NewCollection
from corral.farm.application.device_table import BadRow, read_devices
from corral.farm.domain.delivery.device import DeviceType, MacAddress, device_name
from corral.farm.domain.delivery.device_series import DeviceSeries
from corral.farm.domain.delivery.errors import DeviceTableInvalidError
from corral.farm.domain.estate.collection import FIRST_COLLECTION, collection_name

GOOD = """\
name,mac,collection,image,type,disabled,description
pc1,52:54:00:00:00:01,room-1,debian,test,yes,"by the door, left"
pc2,52-54-00-00-00-02,,,,,
"""


@pytest.fixture
def room(farm: FarmInMemory) -> FarmInMemory:
    farm.add_server("s1")
    farm.import_disk("debian", disk(1))
    farm.application.add_collection(NewCollection(collection_name("room-1")))
    return farm


def test_every_device_of_a_table_is_registered_with_a_key(room: FarmInMemory) -> None:
    done = room.application.import_devices(GOOD)
    assert done.bad == ()
    first, second = room.application.list_devices()
    assert (first.collection.name, first.image, first.device.type) == (
        "room-1",
        "debian",
        DeviceType.TEST,
    )
    assert first.device.disabled
    assert first.device.description == "by the door, left"
    assert second.collection == FIRST_COLLECTION
    assert (second.image, second.device.disabled) == (None, False)
    for one in done.registered:
        assert room.ports.secret_files.written[one.key_file] == one.key
        assert one.device.key_digest.matches(one.key)


def test_trial_registers_nothing(room: FarmInMemory) -> None:
    done = room.application.import_devices(GOOD, is_trial=True)
    assert (len(done.rows), done.bad, done.registered) == (2, (), ())
    assert room.application.list_devices() == ()


@pytest.mark.parametrize("is_trial", [True, False])
def test_all_that_is_wrong_is_told_by_line_and_nothing_is_registered(
    room: FarmInMemory, *, is_trial: bool
) -> None:
    taken = room.add_device("pc9")
    table = f"""\
Name , MAC,image,type,collection,disabled
pc1,52:54:00:00:01:01,,,,
PC2,52:54:00:00:01:02,,,,
pc3,52:54:00:00,,,,
pc1,52:54:00:00:01:04,,,,
pc5,52:54:00:00:01:01,,,,
pc6,{taken.mac},,,,
pc9,52:54:00:00:01:07,,,,
pc8,52:54:00:00:01:08,nothing,,,
pc10,52:54:00:00:01:0a,,office,,
pc11,52:54:00:00:01:0b,,,nowhere,
pc12,52:54:00:00:01:0c,,,,perhaps
pc13,52:54:00:00:01:0d,,,,,too much
pc14
"""
    done = room.application.import_devices(table, is_trial=is_trial)
    assert [(bad.line, bad.name, bad.error.code) for bad in done.bad] == [
        (3, "PC2", "name-invalid"),
        (4, "pc3", "mac-invalid"),
        (5, "pc1", "device-name-taken"),
        (6, "pc5", "mac-taken"),
        (7, "pc6", "mac-taken"),
        (8, "pc9", "device-name-taken"),
        (9, "pc8", "image-unknown"),
        (10, "pc10", "device-type-invalid"),
        (11, "pc11", "collection-unknown"),
        (12, "pc12", "device-field-invalid"),
        (13, "pc13", "device-field-invalid"),
        (14, "pc14", "mac-invalid"),
    ]
    assert done.registered == ()
    assert [view.device.name for view in room.application.list_devices()] == [device_name("pc9")]


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ("", "no column: name, mac"),
        ("name\npc1\n", "no column: mac"),
        ("name,mac,colour\n", "unknown: colour"),
        ("name,mac,mac\n", "named twice: mac"),
        ('name,mac\n"pc1,52:54:00:00:00:01\n', "unexpected end"),
    ],
)
def test_what_is_no_table_is_refused(room: FarmInMemory, table: str, reason: str) -> None:
    with pytest.raises(DeviceTableInvalidError, match=reason):
        room.application.import_devices(table)


def test_table_of_a_spreadsheet_is_read() -> None:
    (row,) = read_devices("\ufeffname,mac\r\npc1,52:54:00:00:00:01\r\n")
    assert not isinstance(row, BadRow)
    assert (row.line, row.name) == (2, "pc1")


def test_ten_thousand_lines_are_checked_against_each_other(farm: FarmInMemory) -> None:
    lines = [f"pc{n},52:54:00:00:{n // 256:02x}:{n % 256:02x}" for n in range(10_000)]
    table = "\n".join(["name,mac", *lines, lines[0]])
    done = farm.application.import_devices(table, is_trial=True)
    assert [(bad.line, bad.error.code) for bad in done.bad] == [(10_002, "device-name-taken")]


def test_series_is_registered_whole_or_not_at_all(farm: FarmInMemory) -> None:
    first = MacAddress.parse("52:54:00:00:09:01")
    series = DeviceSeries.parse("lab-[01-03]")
    tried = farm.application.import_devices.series(series, first, is_trial=True)
    assert (len(tried.rows), tried.bad, tried.registered) == (3, (), ())
    taken = farm.application.register_device(
        device_name("lab-02"), MacAddress.parse("52:54:00:00:08:01")
    )
    refused = farm.application.import_devices.series(series, first)
    assert [(bad.line, bad.name, bad.error.code) for bad in refused.bad] == [
        (2, "lab-02", "device-name-taken")
    ]
    assert [view.device.name for view in farm.application.list_devices()] == ["lab-02"]
    farm.application.remove_device(taken.device.name)
    done = farm.application.import_devices.series(series, first, key_folder=Path("/keys"))
    assert [
        (one.device.name, str(one.device.mac), str(one.key_file)) for one in done.registered
    ] == [
        ("lab-01", "52:54:00:00:09:01", "/keys/lab-01.key"),
        ("lab-02", "52:54:00:00:09:02", "/keys/lab-02.key"),
        ("lab-03", "52:54:00:00:09:03", "/keys/lab-03.key"),
    ]
    assert len({one.key.reveal() for one in done.registered}) == 3
    again = farm.application.import_devices.series(series, first)
    assert len(again.bad) == 3
