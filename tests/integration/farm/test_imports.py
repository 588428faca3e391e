"""Imports that are killed, that meet each other, and that do not fit."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.integration.farm.command import CommandLine
from tests.integration.farm.conftest import farm_at
from tests.integration.farm.disks import bytes_under, sign_boot_sector, write_random_disk
from tests.integration.farm.freezing import freeze

MIB = 1 << 20


@contextmanager
def stopped_import(
    corral: CommandLine, disk: Path, store: Path, grown_by: int, image: str = "golden"
) -> Iterator[subprocess.Popen[str]]:
    """An import that has put so many bytes into the store, stopped in its tracks."""
    before = bytes_under(store)
    with corral.started("image", "import", image, str(disk), "--server", "s1") as process:
        # Looks often: an import is over in a moment.
        while bytes_under(store) < before + grown_by:
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.002)
                break
        freeze(process.pid, corral.farm)
        assert process.poll() is None, "the import was over before it could be stopped"
        yield process


def test_an_import_killed_at_any_moment_leaves_no_version_and_no_damage(
    corral: CommandLine, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    disk = write_random_disk(tmp_path / "disk.raw", 160 * MIB)
    # Its first byte; in its first pack; in a later pack, with sealed ones left behind.
    for grown_by in (1, 20 * MIB, 70 * MIB):
        with stopped_import(corral, disk, store, grown_by) as process:
            process.kill()
            process.wait()
        assert process.returncode == -signal.SIGKILL
        assert corral.refusal("image", "show", "golden").code == "image-unknown"
        assert corral.ask("store", "verify", "s1")["sound"]
    published = corral.ask("image", "import", "golden", str(disk))
    assert published["version"] == "golden/1"
    # What the killed ones had stored is not stored again.
    assert published["new_chunks"] < published["chunks"]
    assert not corral.ask("image", "show", "golden")["busy"]
    assert corral.ask("image", "verify", "golden/1")["sound"]
    assert list((store / "incoming").iterdir()) == []


def test_of_two_imports_into_one_image_the_second_is_told_to_wait(
    corral: CommandLine, tmp_path: Path
) -> None:
    disk = write_random_disk(tmp_path / "disk.raw", 64 * MIB)
    with stopped_import(corral, disk, tmp_path / "store", 1) as first:
        second = corral.refusal("image", "import", "golden", str(disk))
        assert (second.exit_code, second.code) == (4, "image-busy")
        first.send_signal(signal.SIGCONT)
        _, errors = first.communicate(timeout=60)
        assert first.returncode == 0, errors
    assert len(corral.ask("image", "show", "golden")["versions"]) == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MiB; only root can make one."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a tmpfs")
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)]
    made = subprocess.run(mount, check=False, capture_output=True, text=True)
    if made.returncode != 0:
        pytest.skip(f"cannot mount a tmpfs here: {made.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_an_import_that_does_not_fit_publishes_nothing_and_says_what_is_missing(
    tmp_path: Path, small_disk: Path
) -> None:
    corral = farm_at(tmp_path, small_disk / "store")
    ballast = write_random_disk(small_disk / "ballast", 14 * MIB)
    disk = write_random_disk(tmp_path / "disk.raw", 16 * MIB)
    refused = corral.refusal("image", "import", "golden", str(disk))
    assert (refused.exit_code, refused.code) == (1, "store-full")
    assert re.search(r"\b\d+ bytes\b", refused.message)
    assert corral.refusal("image", "show", "golden").code == "image-unknown"
    ballast.unlink()
    assert corral.ask("store", "verify", "s1")["sound"]
    assert corral.ask("image", "import", "golden", str(disk))["published"]
    assert corral.ask("image", "verify", "golden/1")["sound"]


def test_a_disk_larger_than_the_store_is_refused(tmp_path: Path, small_disk: Path) -> None:
    corral = farm_at(tmp_path, small_disk / "store")
    disk = write_random_disk(tmp_path / "disk.raw", 32 * MIB)
    refused = corral.refusal("image", "import", "golden", str(disk))
    assert (refused.exit_code, refused.code) == (1, "disk-too-large")
    assert corral.refusal("image", "show", "golden").code == "image-unknown"
    assert corral.ask("store", "verify", "s1")["checked_chunks"] == 0


def test_a_disk_beyond_what_any_store_holds_is_refused_unread(
    tmp_path: Path, small_disk: Path
) -> None:
    corral = farm_at(tmp_path, tmp_path / "store")
    huge = small_disk / "huge.raw"
    with huge.open("wb") as file:
        file.truncate(16 << 40)
    refused = corral.refusal("image", "import", "golden", str(sign_boot_sector(huge)))
    assert (refused.exit_code, refused.code) == (1, "disk-too-large")
    assert corral.refusal("image", "show", "golden").code == "image-unknown"
