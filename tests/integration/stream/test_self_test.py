"""A stream process reads of what it offers before others do, and says what it cannot read."""

from pathlib import Path
from threading import Event

import corral_native as native
import pytest
from demo.processes import wait_until

from corral.farm.entrypoints.stream.self_test import SelfTest
from corral.farm.entrypoints.stream.version_file import opened
from corral.wire.server import RefusedExport
from tests.native.conftest import FARM, StoreWithDisk, reopened, write_disk

SECONDS = 60.0
READER = "5c1a9a0e-8d1f-4a59-9f0f-3c2b1a000001"
REFUSED = RefusedExport(name="debian/2", code="no-space", detail="the disk is full")


@pytest.fixture
def filled(tmp_path: Path) -> StoreWithDisk:
    disk = write_disk(tmp_path / "disk.raw")
    store = native.Store.create(tmp_path / "store", FARM)
    imported = store.import_raw(disk, native.Progress())
    return StoreWithDisk(store, tmp_path / "store", disk, imported)


def ended(store: native.Store, root: str, *refused: RefusedExport) -> SelfTest:
    is_told = Event()
    test = SelfTest(store, READER, is_told.set)
    assert (test.has_begun, test.is_passed, test.problem) == (False, False, None)
    test.begin([("debian/1", store.serve(root, native.Peers()))], refused)
    wait_until(is_told.is_set, SECONDS, "the test does not end")
    test.stop()
    return test


def test_what_is_sound_passes_also_after_a_reader_that_was_killed(filled: StoreWithDisk) -> None:
    version = filled.store.serve(filled.root, native.Peers())
    native.Overlay.create(filled.store, READER, version, 0)
    assert ended(filled.store, filled.root).is_passed
    assert native.Overlay.list(filled.store) == []


def test_what_is_damaged_and_nobody_can_give_does_not(filled: StoreWithDisk) -> None:
    for pack in filled.packs():
        pack.chmod(0o600)
        pack.write_bytes(bytes(byte ^ 0xFF for byte in pack.read_bytes()))
    store = reopened(filled)
    test = ended(store, filled.root)
    assert not test.is_passed
    assert test.problem is not None
    assert test.problem.startswith("reading debian/1 went wrong")
    assert native.Overlay.list(store) == []


def test_what_is_not_offered_though_it_should_be_does_not(filled: StoreWithDisk) -> None:
    test = ended(filled.store, filled.root, REFUSED)
    assert test.problem == "it does not offer debian/2: the disk is full (no-space)"


def test_a_version_is_read_as_the_file_that_it_was_made_of(filled: StoreWithDisk) -> None:
    version = filled.store.serve(filled.root, native.Peers())
    whole = filled.disk.read_bytes()
    with opened(filled.store, READER, version) as file:
        assert file.read(7) + file.read(100_000) == whole[:100_007]
        assert file.read_at(len(whole) - 3, 100) == whole[-3:]
        assert file.read_at(file.size_bytes, 1) == b""
    assert file.read(1) == b""
    with pytest.raises(native.UnknownOverlayError):
        native.Overlay.head(filled.store, READER)
