"""A file that comes into the import folder piece by piece."""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from corral.farm.domain.library.errors import (
    LibraryFileExistsError,
    LibraryFileUnusableError,
    LibraryFolderFullError,
)

if TYPE_CHECKING:
    from pathlib import Path

_KEPT_FREE: Final = 1 << 30
"""Left to whatever else is on that file system."""


class IncomingPart:
    """Hidden until it is whole, and locked: one that nobody holds was left by who was killed."""

    def __init__(self, folder: Path, name: str, size_bytes: int) -> None:
        self.path = folder / name
        self._part = folder / f".{name}.part"
        if self.path.exists():
            raise LibraryFileExistsError(self.path)
        try:
            _clear(folder)
            facts = os.statvfs(folder)
            if facts.f_bavail * facts.f_frsize < size_bytes + _KEPT_FREE:
                raise LibraryFolderFullError(folder, size_bytes)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
            self._file = os.fdopen(os.open(self._part, flags, 0o640), "wb")
        except FileExistsError:
            # Somebody uploads the same name at this moment.
            raise LibraryFileExistsError(self.path) from None
        except OSError as error:
            raise LibraryFileUnusableError(folder, (error.strerror or "").lower()) from error
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def write(self, piece: bytes) -> None:
        """Append."""
        try:
            self._file.write(piece)
        except OSError as error:
            raise self._unusable(error, len(piece)) from error

    def finish(self) -> None:
        """Make it last, then show it; an existing file of that name is never replaced."""
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            os.link(self._part, self.path)
            self._part.unlink()
            _sync(self.path.parent)
        except FileExistsError:
            raise LibraryFileExistsError(self.path) from None
        except OSError as error:
            raise self._unusable(error, 0) from error
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Remove what came, unless it was finished."""
        if self._file.closed:
            return
        # What is still buffered may not fit any more; it is not wanted either.
        with suppress(OSError):
            self._part.unlink(missing_ok=True)
        with suppress(OSError):
            self._file.close()

    def _unusable(self, error: OSError, missing: int) -> Exception:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            return LibraryFolderFullError(self.path.parent, missing)
        return LibraryFileUnusableError(self.path, (error.strerror or "").lower())


def _clear(folder: Path) -> None:
    """Remove what uploads left whose process was killed: nobody holds its lock."""
    for part in folder.glob(".*.part"):
        with suppress(OSError), part.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            part.unlink()


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
