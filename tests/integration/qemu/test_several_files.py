"""Disks in several files, and disks that somebody else has open."""

import os
import subprocess
from pathlib import Path

import pytest

from corral.farm.adapters.qemu.disk_files import QemuDiskFiles
from corral.farm.adapters.scratch import TemporaryScratch
from corral.farm.application.ports.disk_files import DiskFormat, NbdSocket
from corral.farm.domain.image.errors import DiskDamagedError, DiskUnreadableError

SIZE = 8 * 1024 * 1024
CLUSTER = 64 * 1024
DISKS = QemuDiskFiles(TemporaryScratch())
DATA_FILES = {
    "monolithicFlat": "disk-flat.vmdk",
    "twoGbMaxExtentFlat": "disk-f001.vmdk",
    "twoGbMaxExtentSparse": "disk-s001.vmdk",
}


def qemu_img(*arguments: str | Path) -> None:
    subprocess.run(["qemu-img", *map(str, arguments)], check=True, capture_output=True)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    path = tmp_path / "disk.raw"
    with path.open("wb") as file:
        file.write(os.urandom(CLUSTER))
        file.seek(SIZE - CLUSTER)
        file.write(os.urandom(CLUSTER))
    return path


@pytest.fixture(params=DATA_FILES)
def split(raw: Path, request: pytest.FixtureRequest) -> tuple[Path, Path]:
    """A VMDK that only names another file, and that file."""
    path = raw.with_name("disk.vmdk")
    options = ["-O", "vmdk", "-o", f"subformat={request.param}"]
    qemu_img("convert", "-f", "raw", *options, raw, path)
    return path, raw.with_name(DATA_FILES[request.param])


def test_a_vmdk_with_its_data_in_another_file_is_read(raw: Path, split: tuple[Path, Path]) -> None:
    disk, _ = split
    facts = DISKS.inspect(disk)
    assert (facts.format, facts.size_bytes) == (DiskFormat.VMDK, SIZE)
    with DISKS.opened(facts) as opened:
        assert isinstance(opened, NbdSocket)
        uri = f"nbd+unix:///?socket={opened.socket}"
        qemu_img("compare", "-f", "raw", "-F", "raw", uri, raw)


def test_a_vmdk_whose_other_file_is_truncated_is_damaged(split: tuple[Path, Path]) -> None:
    disk, data = split
    os.truncate(data, data.stat().st_size - 512)
    with pytest.raises(DiskDamagedError):
        DISKS.inspect(disk)


def test_a_disk_that_a_machine_writes_to_is_not_called_damaged(raw: Path) -> None:
    disk = raw.with_name("disk.qcow2")
    qemu_img("convert", "-f", "raw", "-O", "qcow2", raw, disk)
    # An interactive qemu-io says something once it has opened, and so locked, its disk.
    with subprocess.Popen(
        ["qemu-io", "-f", "qcow2", str(disk)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as machine:
        assert machine.stdin is not None
        assert machine.stdout is not None
        machine.stdin.write("length\n")
        machine.stdin.flush()
        machine.stdout.readline()
        with pytest.raises(DiskUnreadableError, match="a running machine is writing to it"):
            DISKS.inspect(disk)
        machine.stdin.close()
