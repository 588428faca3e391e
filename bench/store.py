"""What it costs to import an image and to publish a small change to it, beside copying the file."""

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import corral_native

from bench.image import CHUNK_BYTES, MEBIBYTE, change_image

FARM = "00000000-0000-4000-8000-000000000000"
_CHUNKS_FOR_ONE_CHANGED = 100


@dataclass(frozen=True)
class Stored:
    """The store that holds the servers' version, and what it cost to put it there."""

    path: Path
    root: str
    figures: dict[str, dict[str, dict[str, float]]]


def measure(image: Path, folder: Path) -> Stored:
    """Import ``image`` into a new store in ``folder``, then a copy with a few chunks changed."""
    changed = folder / "changed.raw"
    change_image(
        image, changed, chunks=image.stat().st_size // CHUNK_BYTES // _CHUNKS_FOR_ONE_CHANGED
    )
    store = corral_native.Store.create(folder / "store", FARM)
    imported: list[Any] = []

    def corral(source: Path) -> int:
        imported.append(store.import_raw(source, corral_native.Progress()))
        return int(imported[-1].stored_bytes)

    tools: dict[str, Callable[[Path], int]] = {
        "corral": corral,
        "cp": lambda source: _copied(["cp"], source, folder),
        "qemu-img qcow2": lambda source: _copied(_QEMU_IMG, source, folder),
        "qemu-img qcow2, zstd": lambda source: _copied(_QEMU_IMG_ZSTD, source, folder),
    }
    figures = {
        name: {tool: _timed(run, source) for tool, run in tools.items()}
        for name, source in (("store_import", image), ("store_publish", changed))
    }
    changed.unlink()
    return Stored(store.path, imported[0].root, figures)


_QEMU_IMG = ["qemu-img", "convert", "-f", "raw", "-O", "qcow2"]
_QEMU_IMG_ZSTD = [*_QEMU_IMG, "-c", "-o", "compression_type=zstd"]


def _copied(command: list[str], source: Path, folder: Path) -> int:
    """Copy with a tool and sync, as an import does before it says that it is done."""
    copy = folder / "copy"
    subprocess.run([*command, source, copy], check=True)
    subprocess.run(["sync", copy], check=True)
    written = copy.stat().st_blocks * 512
    copy.unlink()
    return written


def _timed(run: Callable[[Path], int], source: Path) -> dict[str, float]:
    start = time.perf_counter()
    written = run(source)
    seconds = time.perf_counter() - start
    return {
        "seconds": seconds,
        "mib_per_second": source.stat().st_size / MEBIBYTE / seconds,
        "bytes_written": written,
    }
