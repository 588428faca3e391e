"""Kits from the publisher's folder into a real store, and out of it again."""

import json
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import corral_native as native

from tests.integration.farm.command import CommandLine
from tests.integration.farm.disks import bytes_under, write_random_disk
from tests.kits import ENGINE

MIB = 1 << 20


def built(corral: CommandLine, home: Path, release: str, size: int) -> Path:
    """Build a kit with a large file, and trust its publisher."""
    folder, key = home / f"dist-{release}", home / "publisher.key"
    folder.mkdir()
    write_random_disk(folder / "engine.whl", size)
    (folder / "install").write_text("#!/bin/sh\n")
    manifest = home / f"engine-{release}.json"
    manifest.write_text(json.dumps({**ENGINE, "release": release}))
    if not key.exists():
        made = corral.ask("kit", "key", str(key))
        corral.ask("library", "trust", "add", "acme", made["public_key"])
    target = home / f"engine-{release}.corral-kit"
    words = ("--manifest", str(manifest), "--key", str(key), "--output", str(target))
    corral.ask("kit", "build", str(folder), *words)
    return target


def test_a_kit_comes_out_of_the_store_as_it_went_in(corral: CommandLine, tmp_path: Path) -> None:
    path = built(corral, tmp_path, "5.0", 3 * MIB + 77)
    item = corral.ask("library", "import", str(path))
    assert (item["state"], item["size_bytes"]) == ("available", path.stat().st_size)
    farm = corral.ask("farm", "show")["id"]
    store = native.Store.open(tmp_path / "store", farm)
    store.serve(item["root"], native.Peers()).materialise(native.Progress())
    found = (tmp_path / "store").rglob(f"*{item['root']}*")
    flat = max(found, key=lambda one: one.stat().st_size)
    assert flat.read_bytes()[: path.stat().st_size] == path.read_bytes()
    assert corral.ask("store", "verify", "s1")["sound"]


def test_a_flipped_byte_is_found_before_a_chunk_is_kept(
    corral: CommandLine, tmp_path: Path
) -> None:
    path = built(corral, tmp_path, "5.0", MIB)
    before = bytes_under(tmp_path / "store")
    content = bytearray(path.read_bytes())
    content[-100_000] ^= 1
    path.write_bytes(content)
    assert corral.refusal("library", "import", str(path)).code == "kit-damaged"
    assert corral.ask("library", "show", "engine-5.0")["state"] == "failed"
    assert bytes_under(tmp_path / "store") == before


def test_an_import_that_was_killed_goes_on_with_the_same_command(
    corral: CommandLine, tmp_path: Path
) -> None:
    path = built(corral, tmp_path, "5.0", 120 * MIB)
    store = tmp_path / "store"
    before = bytes_under(store)
    with corral.started("library", "import", str(path)) as process:
        # Looks often: an import is over in a moment.
        while bytes_under(store) < before + 8 * MIB:
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.002)
                break
        process.kill()
    # On a busy machine it may have been over by then; whichever it was, the library knows.
    state = corral.ask("library", "show", "engine-5.0")["state"]
    if process.returncode == -signal.SIGKILL and state == "importing":
        assert corral.ask("library", "import", str(path))["state"] == "available"
    else:
        assert corral.refusal("library", "import", str(path)).code == "library-item-taken"
    assert corral.ask("library", "show", "engine-5.0")["version"] == "kit-engine/1"
    assert corral.ask("store", "verify", "s1")["sound"]
