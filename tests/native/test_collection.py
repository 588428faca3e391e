"""What a collection says and does, through the native package."""

from pathlib import Path

import corral_native as native
import pytest

from tests.native.conftest import StoreWithDisk, write_disk


def _bytes_of_packs(filled: StoreWithDisk) -> int:
    return sum(pack.stat().st_size for pack in filled.packs())


def test_a_plan_says_what_the_collection_frees(filled: StoreWithDisk, tmp_path: Path) -> None:
    disk = write_disk(tmp_path / "other.raw")
    other = filled.store.import_raw(disk, native.Progress()).root
    filled.store.remove_version(filled.root)
    before = _bytes_of_packs(filled)
    plan = filled.store.plan_collection([other])
    assert (plan.kept_roots, plan.unnamed_roots, plan.incomplete_roots) == ([other], [], [])
    assert (plan.packs, plan.deleted_packs, plan.rewritten_packs) == (2, 1, 0)
    assert (plan.unusable_packs, plan.copied_bytes, plan.flat_files) == ([], 0, 0)
    assert plan.freed_bytes == plan.dead_bytes > 0
    assert plan.live_bytes + plan.dead_bytes < before == _bytes_of_packs(filled)
    assert (plan.flat_bytes, plan.abandoned_bytes) == (0, 0)
    progress = native.Progress()
    done = filled.store.collect(plan, progress)
    assert (done.removed_packs, done.copied_bytes, done.spared_packs) == (1, 0, [])
    assert done.removed_flats == 0
    assert done.freed_bytes >= plan.freed_bytes
    assert done.plan.freed_bytes == plan.freed_bytes
    assert progress.done_bytes == progress.total_bytes > 0
    assert progress.awaited_writers == 0
    assert _bytes_of_packs(filled) < before
    assert filled.store.verify(native.Progress()).is_sound


def test_a_version_that_nobody_named_is_kept(filled: StoreWithDisk) -> None:
    plan = filled.store.plan_collection([])
    assert plan.unnamed_roots == [filled.root]
    filled.store.collect(plan, native.Progress())
    assert filled.store.holds(filled.root)
    assert filled.store.verify(native.Progress()).is_sound


def test_nothing_is_freed_while_it_is_not_known_what_is_needed(filled: StoreWithDisk) -> None:
    manifest = filled.path / "manifests" / filled.root
    manifest.write_bytes(bytes(56))
    with pytest.raises(native.DamagedError, match="nothing is freed") as refused:
        filled.store.plan_collection([])
    assert refused.value.code == "root-damaged"
    assert refused.value.fields == {"root": filled.root}


def test_a_collection_that_is_cancelled_removes_nothing(filled: StoreWithDisk) -> None:
    filled.store.remove_version(filled.root)
    progress = native.Progress()
    progress.cancel()
    with pytest.raises(native.CancelledError):
        filled.store.collect(filled.store.plan_collection([]), progress)
    assert len(filled.packs()) == 1
