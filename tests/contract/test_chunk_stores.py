"""Stores in memory and on disk; the second where the native package is built."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from uuid import UUID

import pytest

from corral.farm.adapters.memory.chunk_stores import MemoryChunkStores
from corral.farm.adapters.memory.sources import MemoryClock
from corral.farm.adapters.scratch import TemporaryScratch
from corral.farm.application.ports.chunk_stores import ChunkStores, Peers, ScrubOrder
from corral.farm.application.ports.disk_files import RawFile
from corral.farm.application.progress import Progress
from corral.farm.domain.estate.farm import FarmId
from corral.farm.domain.image.errors import (
    StoreNotAStoreError,
    StoreOtherFarmError,
    StoreUnreachableError,
    WorkCancelledError,
)
from corral.farm.domain.image.overlay import OverlayId
from corral.farm.domain.image.overlay_errors import OverlayUnknownError
from corral.farm.domain.image.root import RootHash
from tests.farm_in_memory import disk

HERE, ELSEWHERE = FarmId(UUID(int=1)), FarmId(UUID(int=2))
OVERLAY = OverlayId(UUID(int=7))
NOBODY = RootHash("0" * 63 + "1")


@dataclass(frozen=True)
class Place:
    """Stores, and a way to bring disks to them."""

    stores: ChunkStores
    folder: Path
    bring: Callable[[bytes], RawFile]
    write: Callable[[Path, RootHash, bytes], OverlayId]
    """Has a device write a whole disk over a version of a store."""


@pytest.fixture(params=["memory", "native"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "memory":
        files: dict[Path, bytes] = {}

        def remember(content: bytes) -> RawFile:
            path = tmp_path / f"disk-{len(files)}"
            files[path] = content
            return RawFile(path, len(content))

        stores = MemoryChunkStores(files)

        def keep(path: Path, base: RootHash, content: bytes) -> OverlayId:
            del base
            stores.stores[path].overlays[OVERLAY] = content
            return OVERLAY

        return Place(stores, tmp_path, remember, keep)
    pytest.importorskip("corral_native")
    adapter = import_module("corral.farm.adapters.native.chunk_stores")

    def write(content: bytes) -> RawFile:
        path = tmp_path / f"disk-{len(list(tmp_path.iterdir()))}"
        path.write_bytes(content)
        return RawFile(path, len(content))

    def write_over(path: Path, base: RootHash, content: bytes) -> OverlayId:
        native = import_module("corral_native")
        store = native.Store.open(path, str(HERE))
        below = store.serve(base.hex, native.Peers())
        written = native.Overlay.create(store, str(OVERLAY), below, 1 << 30)
        written.write_at(0, content)
        written.flush()
        return OVERLAY

    return Place(adapter.NativeChunkStores(TemporaryScratch()), tmp_path, write, write_over)


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


def test_sound_store_is_scrubbed_and_nothing_is_found(place: Place) -> None:
    place.stores.create(place.folder / "store", HERE)
    store = place.stores.open(place.folder / "store", HERE)
    store.import_disk(place.bring(disk(1, 2)), Progress())
    progress = Progress()
    clock = MemoryClock()
    scrub = store.scrub(ScrubOrder(Peers(), None, clock.now(), clock), progress)
    assert scrub.is_sound
    assert (scrub.damaged_chunks, scrub.healed_chunks, scrub.affected_roots) == (0, 0, frozenset())
    assert scrub.checked_bytes > 0
    assert progress.amounts().done_bytes > 0
    again = store.scrub(ScrubOrder(Peers(), 1 << 30, clock.now(), clock), Progress())
    assert again == scrub


def test_scrub_that_is_cancelled_says_so(place: Place) -> None:
    place.stores.create(place.folder / "store", HERE)
    store = place.stores.open(place.folder / "store", HERE)
    store.import_disk(place.bring(disk(1, 2)), Progress())
    progress, clock = Progress(), MemoryClock()
    progress.cancel()
    with pytest.raises(WorkCancelledError):
        store.scrub(ScrubOrder(Peers(), None, clock.now(), clock), progress)


def test_sound_store_has_nothing_to_heal(place: Place) -> None:
    place.stores.create(place.folder / "store", HERE)
    store = place.stores.open(place.folder / "store", HERE)
    store.import_disk(place.bring(disk(1, 2)), Progress())
    healing = store.heal(Peers(), Progress())
    assert healing.is_sound
    assert healing.damaged_chunks == 0
    assert store.free_bytes() > 0


def test_what_a_removed_version_alone_had_is_planned_and_then_freed(place: Place) -> None:
    place.stores.create(place.folder / "store", HERE)
    store = place.stores.open(place.folder / "store", HERE)
    old = store.import_disk(place.bring(disk(1, 2)), Progress()).root
    new = store.import_disk(place.bring(disk(1, 3)), Progress()).root
    whole = store.plan_collection(frozenset({old, new}))
    assert (whole.freed_bytes, whole.dead_bytes, whole.unnamed_roots) == (0, 0, frozenset())
    store.remove_version(old)
    plan = store.plan_collection(frozenset({new, NOBODY}))
    assert plan.kept_roots == {new}
    assert not plan.unnamed_roots
    assert plan.freed_bytes == plan.dead_bytes > 0
    assert plan == store.plan_collection(frozenset({new, NOBODY}))  # nothing was changed
    progress = Progress()
    done = store.collect(plan, progress)
    assert done.plan == plan
    assert done.freed_bytes > 0
    amounts = progress.amounts()
    assert amounts.done_bytes == amounts.total_bytes
    assert store.plan_collection(frozenset({new})).dead_bytes == 0
    assert store.holds(new)
    assert store.verify(Progress()).is_sound


def test_versions_that_nobody_named_are_kept(place: Place) -> None:
    place.stores.create(place.folder / "store", HERE)
    store = place.stores.open(place.folder / "store", HERE)
    root = store.import_disk(place.bring(disk(1, 2)), Progress()).root
    done = store.collect(store.plan_collection(frozenset()), Progress())
    assert done.plan.unnamed_roots == {root}
    assert store.holds(root)
    assert store.verify(Progress()).is_sound


def test_a_collection_that_was_cancelled_before_it_began_frees_nothing(place: Place) -> None:
    place.stores.create(place.folder / "store", HERE)
    store = place.stores.open(place.folder / "store", HERE)
    store.remove_version(store.import_disk(place.bring(disk(1, 2)), Progress()).root)
    plan = store.plan_collection(frozenset())
    progress = Progress()
    progress.cancel()
    with pytest.raises(WorkCancelledError):
        store.collect(plan, progress)
    assert store.plan_collection(frozenset()) == plan


def test_what_a_device_wrote_is_sealed_once_and_for_ever(place: Place) -> None:
    path = place.folder / "store"
    place.stores.create(path, HERE)
    store = place.stores.open(path, HERE)
    base = store.import_disk(place.bring(disk(1, 2, 3)), Progress()).root
    with pytest.raises(OverlayUnknownError):
        store.seal(OVERLAY, base, Progress())
    overlay = place.write(path, base, disk(1, 9, 3))
    sealed = store.seal(overlay, base, Progress())
    assert (sealed.root != base, sealed.size_bytes) == (True, len(disk(1, 9, 3)))
    assert store.holds(sealed.root)
    assert store.seal(overlay, base, Progress()) == sealed
    # The same content, imported, is the same version.
    assert store.import_disk(place.bring(disk(1, 9, 3)), Progress()).root == sealed.root


def test_what_a_folder_at_hand_has_needs_no_server(place: Place) -> None:
    first, second = place.folder / "first", place.folder / "second"
    for path in (first, second):
        place.stores.create(path, HERE)
    store = place.stores.open(first, HERE)
    root = store.import_disk(place.bring(disk(1, 0, 2)), Progress()).root
    other = place.stores.open(second, HERE)
    elsewhere = place.folder / "on another machine"
    other.fetch(root, Peers(folders=(elsewhere, second, first)), Progress())
    assert other.holds(root)
    assert place.stores.open_to_read(second, HERE).holds(root)
    with pytest.raises(StoreUnreachableError):
        other.fetch(NOBODY, Peers(folders=(elsewhere, first)), Progress())
    with pytest.raises(StoreOtherFarmError):
        place.stores.open_to_read(second, ELSEWHERE)
    with pytest.raises(StoreNotAStoreError):
        place.stores.open_to_read(elsewhere, HERE)
