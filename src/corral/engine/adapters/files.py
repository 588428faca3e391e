"""Files that are there whole after a power cut, and that only their owner can read."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

PRIVATE_FOLDER: Final = 0o700
PRIVATE_FILE: Final = 0o600


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; raises ``OSError``."""
    make_folder(path.parent)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with suppress(FileNotFoundError):
        beside.unlink()
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError:
        with suppress(OSError):
            beside.unlink()
        raise
    make_durable(path.parent)


def make_folder(folder: Path) -> None:
    """Make a folder that only its owner may enter, unless it is there."""
    folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)


def make_durable(folder: Path) -> None:
    """Have a folder's names survive a power cut; raises ``OSError``."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def reason_of(error: OSError) -> str:
    """Give what the system said, without the path."""
    return (error.strerror or str(error)).lower()
