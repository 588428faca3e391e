"""A real disk image: a boot sector, an ext4 file system, random parts, holes, an odd end."""

import random
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from tests.e2e.interop.tools import run

MEBIBYTE = 1024 * 1024
CHUNK_BYTES = 64 * 1024
SECTOR_BYTES = 512
FILE_SYSTEM_BYTES = 24 * MEBIBYTE
# Not a whole number of chunks: the last one is three sectors long.
SIZE_BYTES = 48 * MEBIBYTE + 3 * SECTOR_BYTES
PATTERN, PATTERN_START, PATTERN_BYTES = 0xA5, 26 * MEBIBYTE + 4096, 3 * MEBIBYTE // 2
_SECTOR_COUNT_AT = 0x1F0


@dataclass(frozen=True)
class Extent:
    """A run of chunks that are all zero, or all not."""

    start: int
    length: int
    is_hole: bool


@dataclass(frozen=True)
class Disk:
    """The image as a raw file, which is the truth that every client is held to."""

    path: Path

    def content(self) -> bytes:
        """All of its bytes."""
        return self.path.read_bytes()

    def crc32(self) -> int:
        """What its own boot sector must find."""
        return zlib.crc32(self.content())

    def extents(self) -> list[Extent]:
        """Holes as a store of whole chunks knows them: chunks of zeros, whoever wrote the zeros."""
        content = self.content()
        states = [
            not any(content[start : start + CHUNK_BYTES])
            for start in range(0, len(content), CHUNK_BYTES)
        ]
        return list(_merged(states, len(content)))


def make_disk(folder: Path) -> Disk:
    """Write the image with the tools of the trade."""
    source = random.Random(9)  # noqa: S311 - test data, not a secret
    tree = folder / "tree"
    (tree / "etc").mkdir(parents=True)
    (tree / "etc/hostname").write_text("corral\n")
    (tree / "random.bin").write_bytes(source.randbytes(5 * MEBIBYTE))
    (tree / "text.txt").write_text("one golden image, every machine\n" * 50_000)
    path = folder / "disk.raw"
    with path.open("wb") as file:
        file.truncate(SIZE_BYTES)
    run("mke2fs", "-q", "-t", "ext4", "-F", "-d", tree, path, f"{FILE_SYSTEM_BYTES // 1024}k")
    with path.open("r+b") as file:
        file.write(_boot_sector(folder))  # ext4 leaves the first 1,024 bytes alone
        file.seek(PATTERN_START)
        file.write(bytes([PATTERN]) * PATTERN_BYTES)
        file.seek(32 * MEBIBYTE)
        file.write(bytes(MEBIBYTE))  # zeros that are written, not left out
        for start in range(36 * MEBIBYTE, 40 * MEBIBYTE, 2 * CHUNK_BYTES):
            file.seek(start + source.randrange(CHUNK_BYTES - 1))
            file.write(b"\x01")  # one byte makes a chunk: the map changes at every chunk
        file.seek(SIZE_BYTES - SECTOR_BYTES)
        file.write(source.randbytes(SECTOR_BYTES))
    return Disk(path)


def _boot_sector(folder: Path) -> bytes:
    source, code, linked = (
        Path(__file__).with_name("boot_sector.s"),
        folder / "boot.o",
        folder / "boot",
    )
    run("as", "--32", "-o", code, source)
    run(
        "ld",
        "-m",
        "elf_i386",
        "-Ttext=0x7c00",
        "--entry=start",
        "--oformat=binary",
        "-o",
        linked,
        code,
    )
    sector = bytearray(linked.read_bytes())
    struct.pack_into("<I", sector, _SECTOR_COUNT_AT, SIZE_BYTES // SECTOR_BYTES)
    return bytes(sector)


def _merged(states: list[bool], size: int) -> Iterator[Extent]:
    start = 0
    for is_hole, run_of_chunks in groupby(states):
        end = min(start + len(list(run_of_chunks)) * CHUNK_BYTES, size)
        yield Extent(start, end - start, is_hole)
        start = end
