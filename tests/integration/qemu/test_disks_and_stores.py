"""Disk images of every format go into a real store and come out of it."""

import os
import subprocess
from pathlib import Path
from uuid import UUID

import pytest

from corral.farm.adapters.native.chunk_stores import NativeChunkStore, NativeChunkStores
from corral.farm.adapters.qemu.disk_files import QemuDiskFiles
from corral.farm.adapters.scratch import TemporaryScratch
from corral.farm.application.ports.chunk_stores import Peers
from corral.farm.application.ports.disk_files import DiskFormat
from corral.farm.application.progress import Progress
from corral.farm.domain.estate.farm import FarmId
from corral.farm.domain.image.errors import StoreDamagedError

FARM = FarmId(UUID(int=1))
DISKS = QemuDiskFiles(TemporaryScratch())
CHUNK = 65_536
OTHERS = {"qcow2": "qcow2", "vhd": "vpc", "vhdx": "vhdx", "vmdk": "vmdk", "vdi": "vdi"}


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Data, a hole, and data again up to an end within a chunk."""
    path = tmp_path / "disk.raw"
    with path.open("wb") as file:
        file.write(os.urandom(5 * CHUNK + 4096))
        file.seek(510)
        file.write(b"\x55\xaa")
        file.truncate(64 * CHUNK + 1024)
        file.seek(60 * CHUNK + 512)
        file.write(os.urandom(CHUNK))
    return path


@pytest.fixture
def store(tmp_path: Path) -> NativeChunkStore:
    stores = NativeChunkStores(TemporaryScratch())
    stores.create(tmp_path / "store", FARM)
    return stores.open(tmp_path / "store", FARM)


@pytest.mark.parametrize("name", OTHERS)
def test_a_disk_is_the_same_version_in_whatever_format_it_comes(
    raw: Path, store: NativeChunkStore, name: str
) -> None:
    image = raw.with_name("other")
    options = ["-o", "force_size=on"] if name == "vhd" else []
    command = ["qemu-img", "convert", "-f", "raw", "-O", OTHERS[name], *options]
    subprocess.run([*command, raw, image], check=True)
    with DISKS.opened(DISKS.inspect(raw)) as disk:
        first = store.import_disk(disk, Progress())
    with DISKS.opened(DISKS.inspect(image)) as disk:
        second = store.import_disk(disk, Progress())
    assert (second.root, second.size_bytes, second.new_chunks) == (first.root, first.size_bytes, 0)


@pytest.mark.parametrize("wanted", DiskFormat)
def test_a_version_comes_out_as_the_disk_that_went_in(
    raw: Path, store: NativeChunkStore, wanted: DiskFormat
) -> None:
    with DISKS.opened(DISKS.inspect(raw)) as disk:
        root = store.import_disk(disk, Progress()).root
    target = raw.with_name("exported")
    with store.served(root, Peers()) as disk:
        DISKS.write(disk, target, wanted, Progress(), overwrite=False)
    driver = OTHERS.get(wanted.value, "raw")
    compare = ["qemu-img", "compare", "-f", "raw", "-F", driver, str(raw), str(target)]
    assert subprocess.run(compare, check=False, capture_output=True).returncode == 0


def test_a_damaged_version_is_not_exported(
    raw: Path, store: NativeChunkStore, tmp_path: Path
) -> None:
    with DISKS.opened(DISKS.inspect(raw)) as disk:
        root = store.import_disk(disk, Progress()).root
    for pack in (file for file in (tmp_path / "store" / "packs").rglob("*") if file.is_file()):
        content = bytearray(pack.read_bytes())
        content[len(content) // 2] ^= 0xFF
        pack.chmod(0o600)
        pack.write_bytes(content)
    again = NativeChunkStores(TemporaryScratch()).open(tmp_path / "store", FARM)
    with pytest.raises(StoreDamagedError), again.served(root, Peers()):
        pass
