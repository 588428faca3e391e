"""Overlays through the binding: what is written stays, and a sealed one is a version."""

import gc
from pathlib import Path

import corral_native as native
import pytest

from tests.native.conftest import CHUNK, StoreWithDisk, reopened

ID = "11111111-2222-4333-8444-555555555555"
BLOCK = 4096
UNLIMITED = 2**63


def served(filled: StoreWithDisk) -> native.ServedVersion:
    return filled.store.serve(filled.root, native.Peers())


def created(filled: StoreWithDisk, limit_bytes: int = UNLIMITED) -> native.Overlay:
    return native.Overlay.create(filled.store, ID, served(filled), limit_bytes)


def test_what_is_written_is_read_and_found_by_the_next_process(filled: StoreWithDisk) -> None:
    overlay = created(filled)
    overlay.write_at(100, b"changed")
    assert overlay.read_at(100, 7) == b"changed"
    assert overlay.read_at(0, 100) == filled.disk.read_bytes()[:100]
    overlay.flush()
    del overlay
    gc.collect()
    again = native.Overlay.open(filled.store, ID, served(filled))
    assert again.read_at(100, 7) == b"changed"
    assert (again.id, again.base) == (ID, filled.root)
    assert again.size_bytes == filled.imported.size_bytes


def test_how_full_it_is_and_how_full_it_may_be(filled: StoreWithDisk) -> None:
    overlay = created(filled, 2 * BLOCK)
    overlay.write_at(0, bytes(BLOCK + 1))
    usage = overlay.usage()
    assert (usage.allocated_bytes, usage.changed_bytes) == (2 * BLOCK, 2 * BLOCK)
    assert (usage.limit_bytes, usage.size_bytes) == (2 * BLOCK, overlay.size_bytes)
    assert (usage.is_full, usage.failure) == (False, None)
    with pytest.raises(native.NoSpaceError) as caught:
        overlay.write_at(2 * BLOCK, b"x")
    assert caught.value.code == "overlay-full"
    assert caught.value.fields["limit_bytes"] == 2 * BLOCK
    assert overlay.usage().is_full
    overlay.set_limit(3 * BLOCK)
    overlay.write_at(2 * BLOCK, b"x")
    assert not overlay.usage().is_full


def test_sealing_makes_the_version_that_an_import_would(filled: StoreWithDisk) -> None:
    overlay = created(filled)
    overlay.write_at(5 * CHUNK + 7, b"a change")
    progress = native.Progress()
    sealed = filled.store.seal(overlay, progress)
    with filled.disk.open("r+b") as file:
        file.seek(5 * CHUNK + 7)
        file.write(b"a change")
    imported = filled.store.import_raw(filled.disk, native.Progress())
    assert imported.root == sealed.root
    assert imported.new_chunks == 0
    assert (sealed.read_chunks, sealed.changed_chunks, sealed.new_chunks) == (1, 1, 1)
    assert (progress.total_bytes, progress.done_bytes) == (CHUNK, CHUNK)
    assert overlay.sealed_root == sealed.root
    with pytest.raises(native.OverlaySealedError) as caught:
        overlay.write_at(0, b"more")
    assert caught.value.code == "overlay-sealed"
    with pytest.raises(native.OverlaySealedError) as caught:
        filled.store.seal(overlay, native.Progress())
    assert caught.value.fields == {"root": sealed.root}


def test_a_cancelled_sealing_leaves_an_overlay_that_goes_on(filled: StoreWithDisk) -> None:
    overlay = created(filled)
    overlay.write_at(0, b"x")
    progress = native.Progress()
    progress.cancel()
    with pytest.raises(native.CancelledError):
        filled.store.seal(overlay, progress)
    overlay.write_at(1, b"y")
    assert overlay.sealed_root is None


def test_overlays_are_listed_described_and_removed(filled: StoreWithDisk) -> None:
    assert native.Overlay.list(filled.store) == []
    overlay = created(filled, 12345)
    assert native.Overlay.list(reopened(filled)) == [ID]
    head = native.Overlay.head(filled.store, ID)
    assert (head.id, head.base, head.limit_bytes) == (ID, filled.root, 12345)
    assert (head.size_bytes, head.sealed_root) == (overlay.size_bytes, None)
    with pytest.raises(native.OverlayInUseError) as caught:
        native.Overlay.remove(filled.store, ID)
    assert caught.value.code == "overlay-in-use"
    del overlay
    gc.collect()
    native.Overlay.remove(filled.store, ID)
    native.Overlay.remove(filled.store, ID)
    assert native.Overlay.list(filled.store) == []


def test_an_overlay_is_created_once_and_opened_by_one(filled: StoreWithDisk) -> None:
    overlay = created(filled)
    with pytest.raises(native.OverlayExistsError) as exists:
        created(filled)
    assert exists.value.code == "overlay-exists"
    with pytest.raises(native.OverlayInUseError):
        native.Overlay.open(filled.store, ID, served(filled))
    assert overlay.id == ID


def test_what_is_not_there_or_not_usable_is_said_so(filled: StoreWithDisk, tmp_path: Path) -> None:
    with pytest.raises(native.UnknownOverlayError) as unknown:
        native.Overlay.open(filled.store, ID, served(filled))
    assert unknown.value.fields == {"id": ID}
    with pytest.raises(ValueError, match="overlay id is not a UUID"):
        native.Overlay.head(filled.store, "mine")
    created(filled)
    gc.collect()
    head = filled.path / "overlays" / ID / "head"
    sound = head.read_bytes()
    head.write_bytes(sound[:70] + b"!" + sound[71:])
    with pytest.raises(native.DamagedError) as damaged:
        native.Overlay.head(filled.store, ID)
    assert damaged.value.code == "overlay-damaged"
    head.write_bytes(sound[:8] + b"\x02\x00" + sound[10:])
    with pytest.raises(native.NewerFormatError) as newer:
        native.Overlay.open(filled.store, ID, served(filled))
    assert (newer.value.code, newer.value.fields["found"]) == ("overlay-newer-format", 2)
    head.write_bytes(sound)
    other = tmp_path / "other.raw"
    other.write_bytes(bytes(filled.imported.size_bytes))
    root = filled.store.import_raw(other, native.Progress()).root
    with pytest.raises(native.NativeError) as base:
        native.Overlay.open(filled.store, ID, filled.store.serve(root, native.Peers()))
    assert base.value.code == "overlay-other-base"


def test_a_version_is_not_made_over_one_that_is_not_here(filled: StoreWithDisk) -> None:
    overlay = created(filled)
    filled.store.remove_version(filled.root)
    with pytest.raises(native.UnknownVersionError) as caught:
        filled.store.seal(overlay, native.Progress())
    assert caught.value.code == "version-incomplete"
