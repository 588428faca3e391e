"""Disks to import, and damage to what became of them."""

import os
from pathlib import Path
from typing import Final

CHUNK: Final = 65_536


def write_random_disk(path: Path, size_bytes: int) -> Path:
    """A disk that neither compresses nor repeats."""
    with path.open("wb") as file:
        left = size_bytes
        while left:
            left -= file.write(os.urandom(min(left, 1 << 22)))
    return sign_boot_sector(path)


def sign_boot_sector(path: Path) -> Path:
    """Put what tells a disk from any other file: the signature of a boot sector."""
    with path.open("r+b") as file:
        file.seek(510)
        file.write(b"\x55\xaa")
    return path


def write_mixed_disk(path: Path) -> Path:
    """16 MiB of noise, a hole, 4 MiB of text, and a last chunk that is short."""
    write_random_disk(path, 16 << 20)
    with path.open("r+b") as file:
        file.seek(24 << 20)
        file.writelines(b"%063d\n" % line for line in range(1 << 16))
        file.write(os.urandom(512))
    return path


def chunk_of(disk: Path, index: int) -> bytes:
    """One chunk of a disk."""
    with disk.open("rb") as file:
        file.seek(index * CHUNK)
        return file.read(CHUNK)


def has_in_flat_file(store: Path, root: str, disk: Path, index: int) -> bool:
    """Whether the flat file of a version has a chunk of the disk in its place."""
    flat = store / "flat" / root
    return flat.exists() and chunk_of(flat, index) == chunk_of(disk, index)


def damage_chunk(store: Path, root: str, disk: Path, index: int) -> None:
    """Turn a few bytes of a chunk over wherever the store has it: in the flat file and a pack.

    The chunk must be noise, so that the pack has it as it is.
    """
    sound = chunk_of(disk, index)
    with (store / "flat" / root).open("r+b") as flat:
        _turn_over(flat.fileno(), index * CHUNK + 1000, sound[1000:1008])
    damage_in_packs(store, disk, index)


def damage_in_packs(store: Path, disk: Path, index: int) -> None:
    """Turn a few bytes of a chunk over in the one pack that has it."""
    sound = chunk_of(disk, index)
    places = 0
    for pack in (store / "packs").rglob("*.pack"):
        at = pack.read_bytes().find(sound)
        if at >= 0:
            mode = pack.stat().st_mode
            pack.chmod(0o600)
            with pack.open("r+b") as file:
                _turn_over(file.fileno(), at + 2000, sound[2000:2008])
            pack.chmod(mode)
            places += 1
    assert places == 1, "a chunk is in one pack"


def _turn_over(descriptor: int, offset: int, sound: bytes) -> None:
    assert os.pread(descriptor, len(sound), offset) == sound
    os.pwrite(descriptor, bytes(byte ^ 0xFF for byte in sound), offset)


def bytes_under(folder: Path) -> int:
    """What the files under a folder hold; they may come and go meanwhile."""
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                total += Path(path, name).stat().st_size
            except FileNotFoundError:
                continue
    return total
