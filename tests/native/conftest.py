"""Stores with a disk in them, through the native package alone."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import corral_native as native
import pytest

FARM = "6d1f2f9e-6f0b-4d7e-8f4b-0d7f1f3a9c11"
OTHER_FARM = "0c8a9a7e-51f2-4c1d-9b5e-2f6f4f0e1d22"
CHUNK = 65_536


def write_disk(path: Path, size: int = 40 * CHUNK + 512) -> Path:
    """A disk with random chunks at both ends and zeros between; its last chunk is short."""
    with path.open("wb") as file:
        file.write(os.urandom(8 * CHUNK))
        file.truncate(size)
        file.seek(size - CHUNK)
        file.write(os.urandom(CHUNK))
    return path


@dataclass
class StoreWithDisk:
    store: native.Store
    path: Path
    disk: Path
    imported: native.Imported

    @property
    def root(self) -> str:
        return self.imported.root

    def packs(self) -> list[Path]:
        return sorted(file for file in (self.path / "packs").rglob("*") if file.is_file())

    def damage_packs(self) -> None:
        """Turn one byte over in the middle of every pack."""
        for pack in self.packs():
            content = bytearray(pack.read_bytes())
            content[len(content) // 2] ^= 0xFF
            pack.chmod(0o600)
            pack.write_bytes(content)


@pytest.fixture
def filled(tmp_path: Path) -> StoreWithDisk:
    disk = write_disk(tmp_path / "disk.raw")
    store = native.Store.create(tmp_path / "store", FARM)
    return StoreWithDisk(store, tmp_path / "store", disk, store.import_raw(disk, native.Progress()))


def reopened(filled: StoreWithDisk) -> native.Store:
    """The store as another process finds it."""
    return native.Store.open(filled.path, FARM)


@pytest.fixture
def small_file_system(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB; only root can make one."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a tmpfs")
    folder = tmp_path / "small"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], check=False, capture_output=True
    )
    if made.returncode != 0:
        pytest.skip(f"cannot mount a tmpfs here: {made.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
