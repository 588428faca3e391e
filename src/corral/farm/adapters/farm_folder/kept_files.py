"""Which files of the farm's folder a backup holds, and the folder that they are restored to."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from corral.farm.adapters.farm_folder.private_file import (
    PRIVATE_FOLDER,
    make_durable,
)
from corral.farm.application.ports.backups import Member
from corral.farm.domain.backup.errors import BackupFolderUnusableError, RestoreTargetTakenError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOLDER: Final = "farm"

# Whatever cannot be made anew. The settings file is not among them: where the database is belongs
# to the place and not to the farm.
_KEPT: Final = tuple(
    re.compile(pattern)
    for pattern in (
        r"[^/.][^/]*\.(key|pem|crt)",
        r"servers/[^/.][^/]*\.(json|key|pem|crt)",
        r"devices/[^/.][^/]*\.(key|pem|crt)",
        r"tls/[^/.][^/]*",
    )
)
# What a stream process was told last. It is told again.
_DERIVED: Final = re.compile(r"servers/[^/]*\.(last|logins|overlays|certificate)\.json")
_FOLDERS: Final = ("", "servers", "devices", "tls")
_MOST_BYTES: Final = 1 << 20
_PRIVATE_FILE: Final = 0o600


def is_kept(name: str) -> bool:
    """Whether a backup holds the file with this path in the folder."""
    return _DERIVED.fullmatch(name) is None and any(one.fullmatch(name) for one in _KEPT)


class FolderFarmFiles:
    """The files in a farm's folder that a backup holds."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def members(self) -> Iterator[Member]:
        """Give each; what is removed meanwhile is left out."""
        for part in _FOLDERS:
            folder = self._folder / part
            try:
                names = sorted(one.name for one in folder.iterdir())
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise _unusable(folder, error) from error
            for name in names:
                path = folder / name
                inside = f"{part}/{name}" if part else name
                if is_kept(inside) and path.is_file():
                    with suppress(FileNotFoundError):
                        yield Member(f"{FOLDER}/{inside}", _content(path))


class StagedFolder:
    """A new farm's folder, made beside its place and moved there as a whole.

    A lock tells one that is being filled from one whose restoring was cut off; that one is thrown
    away by the next.
    """

    def __init__(self, folder: Path) -> None:
        self._place = folder
        self.folder = folder.with_name(f".{folder.name}.restoring")

    @contextmanager
    def begun(self) -> Iterator[None]:
        """Make it; what was not moved to its place is gone at the end."""
        _demand_free(self._place)
        try:
            self._place.parent.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
            self.folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
            lock = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise _unusable(self.folder, error) from error
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                what = f"{self.folder}, to which another command restores a farm now,"
                raise RestoreTargetTakenError(what) from None
            for left in self.folder.iterdir():
                shutil.rmtree(left) if left.is_dir() else left.unlink()
            yield
        except OSError as error:
            raise _unusable(self.folder, error) from error
        finally:
            os.close(lock)
            shutil.rmtree(self.folder, ignore_errors=True)

    def put(self, name: str, content: bytes) -> None:
        """Keep a file, readable by its owner only; safe from a power cut once it is published."""
        path = self.folder / name
        try:
            path.parent.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE_FILE)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
        except OSError as error:
            raise _unusable(path, error) from error

    def publish(self) -> None:
        """Make it durable, all files at once, and move it to its place."""
        _demand_free(self._place)
        try:
            os.sync()
            self.folder.rename(self._place)
            make_durable(self._place.parent)
        except OSError as error:
            raise _unusable(self._place, error) from error


def _demand_free(folder: Path) -> None:
    try:
        is_taken = any(folder.iterdir())
    except FileNotFoundError:
        return
    except NotADirectoryError:
        is_taken = True
    except OSError as error:
        raise _unusable(folder, error) from error
    if is_taken:
        raise RestoreTargetTakenError(str(folder))


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _unusable(path, error) from error
    if len(content) > _MOST_BYTES:
        reason = "it is too large for what it should be"
        raise BackupFolderUnusableError(path, reason)
    return content


def _unusable(path: Path, error: OSError) -> BackupFolderUnusableError:
    return BackupFolderUnusableError(path, (error.strerror or str(error)).lower())
