"""The image that every server serves: the same bytes on every machine and in every run."""

import random
import struct
from collections.abc import Iterator
from pathlib import Path

MEBIBYTE = 1024 * 1024
BLOCK_BYTES = 4096
CHUNK_BYTES = 64 * 1024
# Part of the file's name, so that an image of an older recipe is never taken for this one.
RECIPE = 2
_SEED = 20_260_101
# An installed system is a mixture; Debian images compress to about 0.4 of their size.
_INCOMPRESSIBLE_SHARE = 0.4
_WORDS = b"device farm image version chunk stream .so.6 static return 0x7f45 = true ELF".split()


def make_image(folder: Path, mebibytes: int) -> Path:
    """Return the image of that size in ``folder``, written now unless it is there already.

    Every 4 KiB block starts with its own offset, so that the load generator sees a wrong block at
    once; no block is zero, so that no server gains by answering with holes.
    """
    path = folder / f"image-{RECIPE}-{mebibytes}.raw"
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".part")
    with beside.open("wb") as file:
        for chunk in _chunks(mebibytes * MEBIBYTE // CHUNK_BYTES):
            file.write(chunk)
    beside.rename(path)
    return path


def change_image(image: Path, changed: Path, *, chunks: int) -> None:
    """Write a copy of ``image`` with that many of its chunks, spread evenly, replaced."""
    source = random.Random(_SEED + 1)  # noqa: S311 - test data, not a secret
    size = image.stat().st_size
    stride = size // CHUNK_BYTES // chunks * CHUNK_BYTES
    with image.open("rb") as old, changed.open("wb") as new:
        while block := old.read(MEBIBYTE):
            new.write(block)
        for index in range(chunks):
            new.seek(index * stride)
            new.write(source.randbytes(CHUNK_BYTES))


def _chunks(count: int) -> Iterator[bytearray]:
    source = random.Random(_SEED)  # noqa: S311 - test data, not a secret
    text = b" ".join(source.choices(_WORDS, k=400_000))
    for index in range(count):
        if source.random() < _INCOMPRESSIBLE_SHARE:
            chunk = bytearray(source.randbytes(CHUNK_BYTES))
        else:
            start = source.randrange(len(text) - CHUNK_BYTES)
            chunk = bytearray(text[start : start + CHUNK_BYTES])
        for within in range(0, CHUNK_BYTES, BLOCK_BYTES):
            struct.pack_into("<Q", chunk, within, index * CHUNK_BYTES + within)
        yield chunk
