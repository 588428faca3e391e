"""The scrub, as Python sees it."""

from pathlib import Path

import corral_native as native

CHUNK = 65_536
FARM = "c0441a10-0000-4000-8000-000000000001"
NOW = 1_800_000_000


def _store(folder: Path, image: Path) -> native.Store:
    store = native.Store.create(folder, FARM)
    store.import_raw(image, native.Progress())
    return store


def _image(folder: Path) -> Path:
    path = folder / "image"
    path.write_bytes(b"".join(bytes([number]) * CHUNK for number in range(1, 9)))
    return path


def _damage_a_pack(store: native.Store) -> None:
    pack = next((store.path / "packs").iterdir())
    content = bytearray(pack.read_bytes())
    content[80] ^= 1
    pack.write_bytes(content)


def test_a_pass_tells_what_it_found(tmp_path: Path) -> None:
    store = _store(tmp_path / "store", _image(tmp_path))
    _damage_a_pack(store)
    scrub, progress = native.Scrub.in_background(store), native.Progress()
    assert scrub.step(native.Peers(), progress, NOW) == "resting"
    assert scrub.begin(progress, NOW)
    under_way = scrub.state().under_way
    assert under_way is not None
    assert under_way.started_at == NOW
    assert scrub.state().last is None
    while scrub.step(native.Peers(), progress, NOW + 5) != "finished":
        pass
    state = scrub.state()
    assert state.last is not None
    assert (state.under_way, state.last.finished_at) == (None, NOW + 5)
    assert (state.passes, state.damaged_chunks, state.healed_chunks) == (1, 1, 0)
    assert (state.unhealed_chunks, state.affected_roots) == (1, store.versions())
    assert state.checked_bytes == state.last.checked_bytes > 0


def test_who_is_in_a_hurry_goes_first(tmp_path: Path) -> None:
    store = _store(tmp_path / "store", _image(tmp_path))
    background = native.Scrub.in_background(store)
    assert background.begin(native.Progress(), NOW)
    background.pause(NOW)
    urgent = native.Scrub.at_once(store)
    assert urgent.begin(native.Progress(), NOW + 1)
    assert background.step(native.Peers(), native.Progress(), NOW + 2) == "busy"
