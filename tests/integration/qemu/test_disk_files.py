"""Disk image files of every format, made by qemu-img itself."""

import os
import socket
import subprocess
from pathlib import Path

import pytest

from corral.farm.adapters.qemu.disk_files import QemuDiskFiles
from corral.farm.adapters.scratch import TemporaryScratch
from corral.farm.application.ports.disk_files import DiskFormat, NbdSocket, RawFile
from corral.farm.application.progress import Progress
from corral.farm.domain.image.errors import (
    DiskBackingMissingError,
    DiskBackingOutsideError,
    DiskDamagedError,
    DiskNotAnImageError,
    DiskUnreadableError,
    ExportExistsError,
)

SIZE = 8 * 1024 * 1024
DRIVERS = {
    "raw": "raw",
    "qcow2": "qcow2",
    "vhd": "vpc",
    "vhdx": "vhdx",
    "vmdk": "vmdk",
    "vdi": "vdi",
}
DISKS = QemuDiskFiles(TemporaryScratch())


def qemu_img(*arguments: str | Path) -> None:
    subprocess.run(["qemu-img", *map(str, arguments)], check=True, capture_output=True)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A disk with a boot signature, data at both ends and a hole between."""
    path = tmp_path / "disk.raw"
    with path.open("wb") as file:
        file.write(os.urandom(1024 * 1024))
        file.seek(510)
        file.write(b"\x55\xaa")
        file.seek(SIZE - 300_000)
        file.write(os.urandom(300_000))
    return path


def converted(raw: Path, name: str, *options: str) -> Path:
    path = raw.with_name(f"disk.{name}")
    qemu_img("convert", "-f", "raw", "-O", DRIVERS[name], *options, raw, path)
    return path


def size_option(name: str) -> tuple[str, ...]:
    return ("-o", "force_size=on") if name == "vhd" else ()


@pytest.mark.parametrize("name", DRIVERS)
def test_tells_the_format_and_size_of_a_disk_from_its_content(raw: Path, name: str) -> None:
    disk = converted(raw, name, *size_option(name)) if name != "raw" else raw
    plain = disk.rename(disk.with_name("no-suffix"))
    facts = DISKS.inspect(plain)
    assert (facts.format, facts.size_bytes) == (DiskFormat(name), SIZE)


def test_a_fixed_vhd_is_known_by_its_last_sector(raw: Path) -> None:
    disk = converted(raw, "vhd", "-o", "subformat=fixed,force_size=on")
    assert DISKS.inspect(disk).format is DiskFormat.VHD


@pytest.mark.parametrize("name", [name for name in DRIVERS if name != "raw"])
def test_lends_a_disk_over_nbd_with_the_bytes_of_the_original(raw: Path, name: str) -> None:
    disk = converted(raw, name, *size_option(name))
    with DISKS.opened(DISKS.inspect(disk)) as lent:
        assert isinstance(lent, NbdSocket)
        assert lent.socket.parent.stat().st_mode & 0o077 == 0
        source = f"nbd+unix:///?socket={lent.socket}"
        qemu_img("compare", "-f", "raw", "-F", "raw", raw, source)
    assert not lent.socket.exists()


def test_a_raw_disk_is_read_as_it_is(raw: Path) -> None:
    with DISKS.opened(DISKS.inspect(raw)) as lent:
        assert lent == RawFile(raw, SIZE)


@pytest.mark.parametrize("name", DRIVERS)
def test_writes_each_format_so_that_it_reads_back_alike(raw: Path, name: str) -> None:
    target = raw.with_name("exported")
    progress = Progress()
    DISKS.write(RawFile(raw, SIZE), target, DiskFormat(name), progress, overwrite=False)
    qemu_img("compare", "-f", "raw", "-F", DRIVERS[name], raw, target)
    assert progress.amounts().done_bytes == SIZE
    assert sorted(entry.name for entry in raw.parent.iterdir()) == ["disk.raw", "exported"]


def test_an_export_goes_over_an_existing_file_only_when_told(raw: Path) -> None:
    target = raw.with_name("exported")
    target.write_text("precious")
    source = RawFile(raw, SIZE)
    with pytest.raises(ExportExistsError):
        DISKS.write(source, target, DiskFormat.RAW, Progress(), overwrite=False)
    assert target.read_text() == "precious"
    DISKS.write(source, target, DiskFormat.RAW, Progress(), overwrite=True)
    assert target.read_bytes() == raw.read_bytes()


def test_an_export_into_a_folder_that_is_not_there_says_so(raw: Path) -> None:
    target = raw.parent / "nowhere" / "exported"
    with pytest.raises(DiskUnreadableError, match="no such file or directory"):
        DISKS.write(RawFile(raw, SIZE), target, DiskFormat.RAW, Progress(), overwrite=False)


def test_a_text_file_is_not_a_disk(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("x" * 1024)
    with pytest.raises(DiskNotAnImageError, match="no partition table or file system"):
        DISKS.inspect(path)


def test_an_unknown_content_is_a_raw_disk_if_the_person_says_so(tmp_path: Path) -> None:
    path = tmp_path / "blank"
    path.write_bytes(bytes(1024))
    assert DISKS.inspect(path, DiskFormat.RAW).size_bytes == 1024


@pytest.mark.parametrize("size", [0, 1000])
def test_a_raw_disk_has_whole_sectors(tmp_path: Path, size: int) -> None:
    path = tmp_path / "odd"
    path.write_bytes(bytes(size))
    with pytest.raises(DiskNotAnImageError, match="sectors"):
        DISKS.inspect(path, DiskFormat.RAW)


def test_a_file_that_is_not_there_or_is_a_folder_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(DiskUnreadableError, match="no such file"):
        DISKS.inspect(tmp_path / "missing.qcow2")
    with pytest.raises(DiskNotAnImageError, match="folder"):
        DISKS.inspect(tmp_path)


def test_the_format_that_was_said_must_be_the_one_that_is(raw: Path) -> None:
    with pytest.raises(DiskNotAnImageError, match="said to be vmdk, and looks like raw"):
        DISKS.inspect(raw, DiskFormat.VMDK)


def test_what_a_guest_wrote_does_not_turn_its_raw_disk_into_another_format(raw: Path) -> None:
    disguised = converted(raw, "qcow2").rename(raw.with_name("guest.raw"))
    with pytest.raises(DiskNotAnImageError, match="begins like a qcow2"):
        DISKS.inspect(disguised)
    assert DISKS.inspect(disguised, DiskFormat.RAW).size_bytes == disguised.stat().st_size


@pytest.mark.parametrize("missing", [1, 60_000, 70_000, 900_000])
def test_a_truncated_qcow2_is_damaged(raw: Path, missing: int) -> None:
    disk = converted(raw, "qcow2")
    os.truncate(disk, disk.stat().st_size - missing)
    with pytest.raises(DiskDamagedError, match=r"truncated|lie past its end"):
        DISKS.inspect(disk)


def test_a_qcow2_of_which_only_the_mark_is_left_is_damaged(raw: Path) -> None:
    disk = converted(raw, "qcow2")
    os.truncate(disk, 100)
    with pytest.raises(DiskDamagedError):
        DISKS.inspect(disk)


@pytest.mark.parametrize("name", ["vhd", "vmdk", "vdi"])
def test_a_truncated_disk_of_another_format_is_damaged(raw: Path, name: str) -> None:
    disk = converted(raw, name)
    os.truncate(disk, disk.stat().st_size - 200_000)
    with pytest.raises(DiskDamagedError):
        DISKS.inspect(disk)


@pytest.mark.parametrize("subformat", ["dynamic", "fixed"])
@pytest.mark.parametrize("missing", [1, 511, 512, 200_000, 9_000_000])
def test_a_truncated_vhdx_is_damaged(raw: Path, subformat: str, missing: int) -> None:
    disk = converted(raw, "vhdx", "-o", f"subformat={subformat}")
    os.truncate(disk, disk.stat().st_size - missing)
    with pytest.raises(DiskDamagedError) as caught:
        DISKS.inspect(disk)
    said = str(caught.value)
    assert said.startswith(f"{disk} is damaged: it is truncated: it names data past its end. Copy")


def test_a_vhdx_with_something_behind_its_blocks_is_whole(raw: Path) -> None:
    disk = converted(raw, "vhdx")
    with disk.open("ab") as file:
        file.write(b"appended")
    with DISKS.opened(DISKS.inspect(disk)) as lent:
        assert isinstance(lent, NbdSocket)
        qemu_img("compare", "-F", "raw", raw, f"nbd+unix:///?socket={lent.socket}")


def test_an_overlay_is_read_with_what_it_builds_on(raw: Path) -> None:
    base = converted(raw, "qcow2")
    top = raw.with_name("top.qcow2")
    qemu_img("create", "-f", "qcow2", "-b", base.name, "-F", "qcow2", top)
    with DISKS.opened(DISKS.inspect(top)) as lent:
        assert isinstance(lent, NbdSocket)
        qemu_img("compare", "-F", "raw", raw, f"nbd+unix:///?socket={lent.socket}")


def test_a_backing_file_that_is_missing_is_named(raw: Path) -> None:
    base = converted(raw, "qcow2")
    top = raw.with_name("top.qcow2")
    qemu_img("create", "-f", "qcow2", "-b", base.name, "-F", "qcow2", top)
    base.unlink()
    with pytest.raises(DiskBackingMissingError, match=r"disk\.qcow2"):
        DISKS.inspect(top)


@pytest.mark.parametrize(
    "backing", ["../secret.raw", "/etc/hostname", "nbd://127.0.0.1:1/x", "json:{}"]
)
def test_a_backing_file_outside_the_folder_is_refused(tmp_path: Path, backing: str) -> None:
    (tmp_path / "secret.raw").write_bytes(bytes(1024))
    folder = tmp_path / "upload"
    folder.mkdir()
    top = folder / "top.qcow2"
    qemu_img("create", "-u", "-f", "qcow2", "-b", backing, "-F", "raw", top, "1M")
    with pytest.raises(DiskBackingOutsideError):
        DISKS.inspect(top)


def test_a_link_does_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.raw").write_bytes(bytes(1024))
    folder = tmp_path / "upload"
    folder.mkdir()
    (folder / "base.raw").symlink_to("../secret.raw")
    top = folder / "top.qcow2"
    qemu_img("create", "-u", "-f", "qcow2", "-b", "base.raw", "-F", "raw", top, "1M")
    with pytest.raises(DiskBackingOutsideError):
        DISKS.inspect(top)


def test_images_that_build_on_each_other_end(raw: Path) -> None:
    first, second = raw.with_name("first.qcow2"), raw.with_name("second.qcow2")
    qemu_img("create", "-u", "-f", "qcow2", "-b", second.name, "-F", "qcow2", first, "1M")
    qemu_img("create", "-u", "-f", "qcow2", "-b", first.name, "-F", "qcow2", second, "1M")
    with pytest.raises(DiskDamagedError, match="does not end"):
        DISKS.inspect(first)


def test_a_vmdk_reads_no_extent_outside_its_folder(tmp_path: Path) -> None:
    disk = tmp_path / "disk.vmdk"
    disk.write_text(
        '# Disk DescriptorFile\nversion=1\ncreateType="monolithicFlat"\nRW 1 FLAT "/etc/passwd" 0\n'
    )
    with pytest.raises(DiskBackingOutsideError, match="/etc/passwd"):
        DISKS.inspect(disk)


def test_a_qcow2_with_its_data_in_another_file_is_refused(raw: Path) -> None:
    disk = raw.with_name("split.qcow2")
    qemu_img("create", "-f", "qcow2", "-o", f"data_file={raw.with_name('data')}", disk, "1M")
    with pytest.raises(DiskNotAnImageError, match="in another file"):
        DISKS.inspect(disk)


def test_a_differencing_vhd_is_refused(raw: Path) -> None:
    disk = converted(raw, "vhd")
    content = bytearray(disk.read_bytes())
    for footer in (0, len(content) - 512):
        content[footer + 60 : footer + 64] = (4).to_bytes(4, "big")
    disk.write_bytes(content)
    with pytest.raises(DiskNotAnImageError, match="differences"):
        DISKS.inspect(disk)


def test_nothing_is_left_running_when_the_reader_fails(raw: Path) -> None:
    disk = converted(raw, "qcow2")
    seen: list[Path] = []

    def fail_while_reading() -> None:
        with DISKS.opened(DISKS.inspect(disk)) as lent:
            assert isinstance(lent, NbdSocket)
            seen.append(lent.socket)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_while_reading()
    with socket.socket(socket.AF_UNIX) as client, pytest.raises(FileNotFoundError):
        client.connect(str(seen[0]))
