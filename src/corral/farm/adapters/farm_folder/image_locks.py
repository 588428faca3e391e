"""Locks of images as locks on files, which end with the process that holds them."""

from __future__ import annotations

import fcntl
import os
import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from corral.farm.adapters.farm_folder.private_file import PRIVATE_FOLDER
from corral.farm.domain.image.errors import ImageBusyError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from corral.farm.domain.image.image import ImageName

# `struct flock` of 64-bit Linux: type, whence, start, length, process id.
_FLOCK: Final = struct.Struct("hhqqi4x")
_WHOLE_FILE: Final = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)


class FileImageLocks:
    """One file for each image in a folder.

    The locks belong to the opening of the file ("open file description"): the kernel drops them
    with its last descriptor, whatever ended the process, and two threads exclude each other, too.
    Unlike ``flock`` they can be looked at without being taken, so that a look never refuses an
    import. Files are never removed: that would make two holders possible.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def hold(self, image: ImageName) -> Iterator[None]:
        """Hold the lock for the block; refused at once if anybody else holds it."""
        self._folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        descriptor = os.open(self._path(image), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _WHOLE_FILE)
            except BlockingIOError:
                raise ImageBusyError(image) from None
            yield
        finally:
            os.close(descriptor)

    def is_held(self, image: ImageName) -> bool:
        """Whether somebody holds it now."""
        try:
            descriptor = os.open(self._path(image), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            answer = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, _WHOLE_FILE)
        finally:
            os.close(descriptor)
        lock_type: int = _FLOCK.unpack(answer)[0]
        return lock_type != fcntl.F_UNLCK

    def _path(self, image: ImageName) -> Path:
        return self._folder / f"image-{image}.lock"
