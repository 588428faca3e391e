"""Stores that are at hand, such as one on a medium that was carried, as the first source."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import corral_native as native
import pytest

from tests.native.conftest import FARM, OTHER_FARM, StoreWithDisk, reopened, write_disk


@pytest.fixture
def medium(filled: StoreWithDisk, tmp_path: Path) -> StoreWithDisk:
    """A store that holds the disk, made to be carried."""
    store = native.Store.create(tmp_path / "medium", FARM)
    store.replicate(filled.root, native.Peers(stores=[filled.store]), native.Progress())
    return StoreWithDisk(store, tmp_path / "medium", filled.disk, filled.imported)


@pytest.fixture
def mounted(medium: StoreWithDisk, tmp_path: Path) -> Iterator[StoreWithDisk]:
    """The same, mounted where nothing can be written; only root can do it."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount")
    folder = tmp_path / "mounted"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "--bind", "-o", "ro", medium.path, folder], check=False, capture_output=True
    )
    if made.returncode != 0:
        pytest.skip(f"cannot mount here: {made.stderr.decode().strip()}")
    try:
        yield StoreWithDisk(medium.store, folder, medium.disk, medium.imported)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_version_comes_from_a_medium_that_cannot_be_written(
    mounted: StoreWithDisk, tmp_path: Path
) -> None:
    with pytest.raises(OSError, match="Read-only"):
        (mounted.path / "packs" / "probe").touch()
    carried = native.Store.open_to_read(mounted.path, FARM)
    assert carried.versions() == [mounted.root]
    store = native.Store.create(tmp_path / "mine", FARM)
    progress = native.Progress()
    # No line is taken, so that none is waited for.
    progress.set_rate(1)
    done = store.replicate(mounted.root, native.Peers(stores=[carried]), progress)
    assert done.fetched_chunks == done.fetched_bytes == 0
    assert done.carried_chunks == mounted.imported.new_chunks + 1
    assert progress.stored_bytes == done.carried_bytes
    assert progress.done_bytes == mounted.imported.size_bytes
    assert store.verify(native.Progress()).is_sound
    disk = tmp_path / "more.raw"
    with pytest.raises(native.StorageError, match="Read-only"):
        carried.import_raw(write_disk(disk), native.Progress())


def test_opening_to_read_writes_nothing_and_opens_no_other_farms_store(
    medium: StoreWithDisk,
) -> None:
    for part in ("incoming", "flat"):
        if (medium.path / part).is_dir() and not any((medium.path / part).iterdir()):
            (medium.path / part).rmdir()
    before = sorted(medium.path.rglob("*"))
    assert native.Store.open_to_read(medium.path, FARM).holds(medium.root)
    assert sorted(medium.path.rglob("*")) == before
    with pytest.raises(native.OtherFarmError):
        native.Store.open_to_read(medium.path, OTHER_FARM)
    with pytest.raises(native.NotAStoreError):
        native.Store.open_to_read(medium.path.parent, FARM)


def test_what_is_damaged_on_a_medium_comes_from_the_next(
    filled: StoreWithDisk, medium: StoreWithDisk, tmp_path: Path
) -> None:
    medium.damage_packs()
    carried = native.Store.open_to_read(medium.path, FARM)
    store = native.Store.create(tmp_path / "mine", FARM)
    with pytest.raises(native.PeersError) as caught:
        store.replicate(filled.root, native.Peers(stores=[carried]), native.Progress())
    assert caught.value.code == "peers-lack-chunks"
    peers = native.Peers(stores=[carried, reopened(filled)])
    store.replicate(filled.root, peers, native.Progress())
    assert store.holds(filled.root)
    assert store.verify(native.Progress()).is_sound


def test_a_medium_without_the_version_is_told_so(medium: StoreWithDisk, tmp_path: Path) -> None:
    store = native.Store.create(tmp_path / "mine", FARM)
    carried = native.Store.open_to_read(medium.path, FARM)
    with pytest.raises(native.PeersError, match=str(medium.path)) as caught:
        store.replicate("ab" * 32, native.Peers(stores=[carried]), native.Progress())
    assert caught.value.code == "peers-lack-version"


def test_a_version_is_served_from_a_medium_and_peers_can_be_changed(
    medium: StoreWithDisk, tmp_path: Path
) -> None:
    store, peers = native.Store.create(tmp_path / "mine", FARM), native.Peers()
    with pytest.raises(native.UnknownVersionError):
        store.serve(medium.root, peers)
    peers.set([], "", stores=[native.Store.open_to_read(medium.path, FARM)])
    version = store.serve(medium.root, peers)
    version.materialise(native.Progress())
    assert version.counters().from_peers_chunks > 0
