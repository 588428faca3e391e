"""QEMU's block layer as the client: its tools, and a machine that boots."""

import json
from pathlib import Path

import pytest

from tests.e2e.interop.disk import (
    PATTERN,
    PATTERN_BYTES,
    PATTERN_START,
    SIZE_BYTES,
    Disk,
    Extent,
)  # fmt: skip
from tests.e2e.interop.tools import run, sha256

SUCCEEDED = 33  # what the boot sector's debug exit makes of its 16


def test_compare_finds_the_image_identical(uri: str, disk: Disk) -> None:
    compared = run("qemu-img", "compare", "-f", "raw", "-F", "raw", disk.path, uri)
    assert "Images are identical" in compared.stdout


def test_compare_would_find_one_changed_byte(uri: str, disk: Disk, tmp_path: Path) -> None:
    other = tmp_path / "other.raw"
    other.write_bytes(disk.content())
    with other.open("r+b") as file:
        file.seek(PATTERN_START + 12_345)
        file.write(b"!")
    compared = run("qemu-img", "compare", "-f", "raw", "-F", "raw", other, uri, check=False)
    assert compared.returncode == 1
    assert "Content mismatch" in compared.stdout


@pytest.mark.parametrize("format_name", ["raw", "qcow2", "vmdk"])
def test_convert_reads_the_image_byte_for_byte(
    uri: str, disk: Disk, tmp_path: Path, format_name: str
) -> None:
    converted, back = tmp_path / "converted", tmp_path / "back.raw"
    run("qemu-img", "convert", "-f", "raw", "-O", format_name, "-m", "16", "-W", uri, converted)
    run("qemu-img", "convert", "-f", format_name, "-O", "raw", converted, back)
    with back.open("r+b") as file:
        file.truncate(SIZE_BYTES)  # vmdk counts in its own grains
    assert sha256(back) == sha256(disk.path)


def test_map_shows_the_real_holes(uri: str, disk: Disk) -> None:
    extents = json.loads(run("qemu-img", "map", "-f", "raw", "--output=json", uri).stdout)
    seen = [Extent(extent["start"], extent["length"], extent["zero"]) for extent in extents]
    assert seen == disk.extents()


def test_patterns_are_read_where_they_were_written(uri: str) -> None:
    ends = PATTERN_START + PATTERN_BYTES
    done = run(
        "qemu-io", "-r", "-f", "raw",
        "-c", f"read -P {PATTERN} {PATTERN_START} {PATTERN_BYTES}",
        "-c", f"read -P {PATTERN} {PATTERN_START + 1} 511",
        "-c", f"read -P {PATTERN} {ends - 7} 7",
        "-c", f"read -P 0 {ends} 65536",
        "-c", f"read -P 0 {32 * 1024 * 1024} {1024 * 1024}",
        uri,
    )  # fmt: skip
    assert "verification failed" not in done.stdout


def test_a_wrong_pattern_is_noticed(uri: str) -> None:
    command = f"read -P {PATTERN + 1} {PATTERN_START} 4096"
    done = run("qemu-io", "-r", "-f", "raw", "-c", command, uri, check=False)
    assert "verification failed" in done.stdout


def test_reads_in_flight_together_all_succeed(uri: str) -> None:
    commands = [f"aio_read -q -P {PATTERN} {PATTERN_START + n * 8192} 8192" for n in range(128)]
    options = [word for command in [*commands, "aio_flush"] for word in ("-c", command)]
    done = run("qemu-io", "-r", "-f", "raw", *options, uri)
    assert "failed" not in done.stdout


def test_a_read_across_the_end_is_refused(uri: str) -> None:
    done = run(
        "qemu-io", "-r", "-f", "raw", "-c", f"read {SIZE_BYTES - 512} 1024", uri, check=False
    )
    assert "failed" in done.stdout


def test_the_export_cannot_be_opened_for_writing(uri: str) -> None:
    done = run("qemu-io", "-f", "raw", "-c", "write 0 512", uri, check=False)
    assert done.returncode != 0
    assert "Permission denied" in done.stderr


def test_a_machine_boots_from_it_and_reads_the_whole_disk(uri: str, disk: Disk) -> None:
    """The boot sector comes through NBD and so does all that it then asks the firmware for."""
    done = run(
        "qemu-system-x86_64", "-machine", "pc,accel=tcg", "-m", "32", "-display", "none",
        "-nodefaults", "-serial", "stdio", "-no-reboot",
        "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
        "-drive", f"file={uri},format=raw,if=virtio,readonly=on",
        check=False,
    )  # fmt: skip
    assert done.stdout.strip() == f"disk crc32 {disk.crc32():08x}", done.stderr
    assert done.returncode == SUCCEEDED
