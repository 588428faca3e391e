"""A store through the binding: values come out right, errors come out typed."""

import json
import os
import threading
from pathlib import Path

import corral_native as native
import pytest

from tests.native.conftest import CHUNK, FARM, OTHER_FARM, StoreWithDisk, reopened, write_disk

NOBODY = "ab" * 32


def test_an_import_counts_what_it_did(filled: StoreWithDisk) -> None:
    imported = filled.imported
    assert imported.size_bytes == filled.disk.stat().st_size
    assert (imported.chunks, imported.zero_chunks, imported.new_chunks) == (41, 31, 10)
    assert imported.new_bytes >= 9 * CHUNK
    assert filled.store.holds(imported.root)
    assert filled.store.versions() == [imported.root]


def test_the_same_disk_is_the_same_version_and_stores_nothing(filled: StoreWithDisk) -> None:
    again = filled.store.import_raw(filled.disk, native.Progress())
    assert (again.root, again.new_chunks, again.stored_bytes) == (filled.root, 0, 0)


def test_a_progress_is_seen_from_outside(filled: StoreWithDisk) -> None:
    progress = native.Progress()
    filled.store.verify(progress)
    assert 0 < progress.done_bytes <= progress.total_bytes
    assert not progress.is_cancelled


def test_a_cancelled_import_publishes_nothing(tmp_path: Path) -> None:
    store = native.Store.create(tmp_path / "store", FARM)
    progress = native.Progress()
    progress.cancel()
    with pytest.raises(native.CancelledError) as caught:
        store.import_raw(write_disk(tmp_path / "disk"), progress)
    assert caught.value.code == "cancelled"
    assert store.versions() == []


def test_other_threads_run_while_the_store_works(filled: StoreWithDisk) -> None:
    # If the call kept the interpreter, the other thread could not finish before it.
    done = threading.Event()
    thread = threading.Thread(target=done.set)
    thread.start()
    filled.store.verify(native.Progress())
    thread.join()
    assert done.is_set()


def test_what_changed_between_two_versions_is_known(filled: StoreWithDisk) -> None:
    with filled.disk.open("r+b") as file:
        file.seek(2 * CHUNK)
        file.write(os.urandom(10))
    after = filled.store.import_raw(filled.disk, native.Progress())
    difference = filled.store.difference(filled.root, after.root)
    assert (difference.changed_chunks, difference.changed_bytes) == (1, CHUNK)
    assert after.new_chunks == 1


def test_a_folder_is_a_store_only_once(filled: StoreWithDisk) -> None:
    with pytest.raises(native.StoreExistsError) as caught:
        native.Store.create(filled.path, FARM)
    assert caught.value.fields == {"path": str(filled.path), "farm": FARM}


def test_a_folder_with_other_things_does_not_become_a_store(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(native.FolderNotEmptyError):
        native.Store.create(tmp_path, FARM)


def test_a_store_of_another_farm_is_refused(filled: StoreWithDisk) -> None:
    with pytest.raises(native.OtherFarmError) as caught:
        native.Store.open(filled.path, OTHER_FARM)
    assert caught.value.code == "other-farm"
    assert caught.value.fields["found"] == FARM


def test_a_store_of_a_newer_format_is_refused(filled: StoreWithDisk) -> None:
    description = filled.path / "store.json"
    content = json.loads(description.read_text())
    description.chmod(0o600)
    description.write_text(json.dumps({**content, "format": 99}))
    with pytest.raises(native.NewerFormatError) as caught:
        native.Store.open(filled.path, FARM)
    assert caught.value.fields["found"] == 99


def test_a_folder_without_a_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(native.NotAStoreError):
        native.Store.open(tmp_path, FARM)


def test_a_disk_that_is_not_there_is_the_source_s_fault(filled: StoreWithDisk) -> None:
    with pytest.raises(native.SourceError) as caught:
        filled.store.import_raw(filled.path / "missing", native.Progress())
    assert caught.value.code == "source-unreadable"
    with pytest.raises(native.SourceError):
        filled.store.import_nbd(filled.path / "socket", "", native.Progress())


def test_a_root_is_written_in_full(filled: StoreWithDisk) -> None:
    for text in ("", "abc", filled.root.upper(), filled.root[:-1]):
        with pytest.raises(ValueError, match="64 lower-case"):
            filled.store.holds(text)
    with pytest.raises(ValueError, match="UUID"):
        native.Store.open(filled.path, "my farm")


def test_a_version_that_nobody_has_is_unknown(filled: StoreWithDisk) -> None:
    assert not filled.store.holds(NOBODY)
    with pytest.raises(native.UnknownVersionError) as caught:
        filled.store.serve(NOBODY, native.Peers())
    assert caught.value.fields == {"root": NOBODY}
    with pytest.raises(native.PeersError) as replicated:
        filled.store.replicate(NOBODY, native.Peers(), native.Progress())
    assert replicated.value.code == "no-peers"


def test_a_full_file_system_says_how_much_is_missing(
    tmp_path: Path, small_file_system: Path
) -> None:
    store = native.Store.create(small_file_system / "store", FARM)
    disk = tmp_path / "disk"
    with disk.open("wb") as file:
        file.write(os.urandom(3 * 1024 * 1024))
    first = store.import_raw(disk, native.Progress())
    with disk.open("r+b") as file:
        file.write(os.urandom(3 * 1024 * 1024))
    with pytest.raises(native.NoSpaceError) as caught:
        store.import_raw(disk, native.Progress())
    missing = caught.value.fields["missing_bytes"]
    assert isinstance(missing, int)
    assert 1024 * 1024 < missing < 4 * 1024 * 1024
    assert store.versions() == [first.root]
    assert store.verify(native.Progress()).is_sound


def test_a_disk_larger_than_the_store_is_refused_before_anything_is_written(
    tmp_path: Path, small_file_system: Path
) -> None:
    store = native.Store.create(small_file_system / "store", FARM)
    disk = tmp_path / "disk"
    disk.write_bytes(os.urandom(6 * 1024 * 1024))
    free = store.free_bytes()
    with pytest.raises(native.TooLargeError) as caught:
        store.import_raw(disk, native.Progress())
    assert caught.value.fields["size_bytes"] == 6 * 1024 * 1024
    assert store.free_bytes() == free


def test_damage_is_found_by_a_verification(filled: StoreWithDisk) -> None:
    assert filled.store.verify(native.Progress()).is_sound
    filled.damage_packs()
    report = reopened(filled).verify(native.Progress())
    assert not report.is_sound
    assert report.damaged_chunks >= 1
    assert report.affected_roots == [filled.root]


def test_a_damaged_chunk_is_refused_at_read(filled: StoreWithDisk) -> None:
    filled.damage_packs()
    version = reopened(filled).serve(filled.root, native.Peers())
    with pytest.raises(native.DamagedError) as caught:
        version.materialise(native.Progress())
    assert caught.value.code == "chunk-unavailable"


def test_a_forgotten_version_is_gone_and_forgetting_twice_is_no_error(
    filled: StoreWithDisk,
) -> None:
    filled.store.remove_version(filled.root)
    filled.store.remove_version(filled.root)
    assert not filled.store.holds(filled.root)
