"""Stores in memory and on disk; the second where the native package is built."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from uuid import UUID

import pytest

from corral.farm.adapters.memory.chunk_stores import MemoryChunkStores
from corral.farm.application.ports.chunk_stores import ChunkStores, Peers
from corral.farm.application.ports.disk_files import RawFile
from corral.farm.application.progress import Progress
from corral.farm.domain.estate.farm import FarmId
from corral.farm.domain.image.errors import StoreNotAStoreError, StoreOtherFarmError
from corral.farm.domain.image.root import RootHash
from tests.farm_in_memory import disk

HERE, ELSEWHERE = FarmId(UUID(int=1)), FarmId(UUID(int=2))
NOBODY = RootHash("0" * 63 + "1")


@dataclass(frozen=True)
class Place:
    """Stores, and a way to bring disks to them."""

    stores: ChunkStores
    folder: Path
    bring: Callable[[bytes], RawFile]


@pytest.fixture(params=["memory", "native"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "memory":
        files: dict[Path, bytes] = {}

        def remember(content: bytes) -> RawFile:
            path = tmp_path / f"disk-{len(files)}"
            files[path] = content
            return RawFile(path, len(content))

        return Place(MemoryChunkStores(files), tmp_path, remember)
    pytest.importorskip("corral_native")
    adapter = import_module("corral.farm.adapters.native.chunk_stores")

    def write(content: bytes) -> RawFile:
        path = tmp_path / f"disk-{len(list(tmp_path.iterdir()))}"
        path.write_bytes(content)
        return RawFile(path, len(content))

    return Place(adapter.NativeChunkStores(), tmp_path, write)


def test_store_is_made_once_and_taken_over_by_its_farm(place: Place) -> None:
    path = place.folder / "store"
    store_id = place.stores.create(path, HERE)
    assert place.stores.create(path, HERE) == store_id
    assert place.stores.create(place.folder / "other", HERE) != store_id


def test_store_of_another_farm_is_refused(place: Place) -> None:
    path = place.folder / "store"
    place.stores.create(path, HERE)
    for attempt in (place.stores.create, place.stores.open):
        with pytest.raises(StoreOtherFarmError):
            attempt(path, ELSEWHERE)


def test_folder_that_is_no_store_is_not_opened(place: Place) -> None:
    with pytest.raises(StoreNotAStoreError):
        place.stores.open(place.folder / "nothing", HERE)


@pytest.mark.parametrize("content", [disk(1, 0, 2), disk(1) + b"short", disk(0, 0)])
def test_disk_goes_in_and_is_held(place: Place, content: bytes) -> None:
    path = place.folder / "store"
    place.stores.create(path, HERE)
    store = place.stores.open(path, HERE)
    assert not store.holds(NOBODY)
    progress = Progress()
    imported = store.import_disk(place.bring(content), progress)
    assert imported.size_bytes == len(content)
    assert imported.chunks == -(-len(content) // 65_536)
    assert store.holds(imported.root)
    assert place.stores.open(path, HERE).holds(imported.root)
    assert store.verify(Progress()).is_sound


def test_root_depends_on_the_content_alone(place: Place) -> None:
    place.stores.create(place.folder / "a", HERE)
    place.stores.create(place.folder / "b", HERE)
    one, two = (place.stores.open(place.folder / name, HERE) for name in "ab")
    first = one.import_disk(place.bring(disk(1, 2)), Progress())
    again = one.import_disk(place.bring(disk(1, 2)), Progress())
    there = two.import_disk(place.bring(disk(1, 2)), Progress())
    assert first.root == again.root == there.root
    assert again.new_chunks == 0
    assert one.import_disk(place.bring(disk(2, 1)), Progress()).root != first.root
    assert one.import_disk(place.bring(disk(1, 2, 0)), Progress()).root != first.root


def test_only_what_is_new_is_stored_and_the_difference_is_told(place: Place) -> None:
    place.stores.create(place.folder / "store", HERE)
    store = place.stores.open(place.folder / "store", HERE)
    old = store.import_disk(place.bring(disk(1, 2, 3, 0)), Progress())
    new = store.import_disk(place.bring(disk(1, 9, 3, 0)), Progress())
    assert (old.zero_chunks, new.zero_chunks) == (1, 1)
    assert store.difference(old.root, new.root).changed_chunks == 1
    assert store.difference(old.root, old.root).changed_chunks == 0


def test_removed_version_is_not_held_and_the_others_are(place: Place) -> None:
    place.stores.create(place.folder / "store", HERE)
    store = place.stores.open(place.folder / "store", HERE)
    old = store.import_disk(place.bring(disk(1, 2)), Progress())
    new = store.import_disk(place.bring(disk(1, 3)), Progress())
    store.remove_version(old.root)
    store.remove_version(old.root)  # quietly
    assert not store.holds(old.root)
    assert store.holds(new.root)
    assert store.verify(Progress()).is_sound


def test_sound_store_has_nothing_to_heal(place: Place) -> None:
    place.stores.create(place.folder / "store", HERE)
    store = place.stores.open(place.folder / "store", HERE)
    store.import_disk(place.bring(disk(1, 2)), Progress())
    healing = store.heal(Peers(), Progress())
    assert healing.is_sound
    assert healing.damaged_chunks == 0
    assert store.free_bytes() > 0
