"""The port ``Scratch``: under the machine's folder for temporary files, and beside targets.

Each folder has a file that the process locks which works in it. The kernel ends that lock however
the process ends: a folder that nobody holds was left by one that was killed.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME: Final = "corral-scratch-"
_LOCK: Final = ".lock"
_OPENED: Final = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_PRIVATE: Final = 0o600


class TemporaryScratch:
    """Folders of this account; those of others are theirs."""

    @contextmanager
    def folder(self, work: str) -> Iterator[Path]:
        """Lend one, after what killed work left has made room for it."""
        with _lent(Path(tempfile.gettempdir()), f"{_NAME}{work}-") as path:
            yield path

    @contextmanager
    def beside(self, target: Path) -> Iterator[Path]:
        """Lend one that is hidden there."""
        with _lent(target.parent, f".{_NAME}") as path:
            yield path

    def clear(self) -> None:
        """Remove each that nobody holds."""
        _clear(Path(tempfile.gettempdir()))


@contextmanager
def _lent(place: Path, prefix: str) -> Iterator[Path]:
    _clear(place)
    path, held = _made(place, prefix)
    try:
        yield path
    finally:
        # While it is locked still: nobody else removes it at the same time.
        shutil.rmtree(path, ignore_errors=True)
        os.close(held)


def _clear(place: Path) -> None:
    for pattern in (f"{_NAME}*", f".{_NAME}*"):
        for path in place.glob(pattern):
            with suppress(OSError), _held(path):
                shutil.rmtree(path)


def _made(place: Path, prefix: str) -> tuple[Path, int]:
    """Make one and hold it; whoever clears may have been quicker, and taken it for left behind."""
    while True:
        path = Path(tempfile.mkdtemp(prefix=prefix, dir=place))
        with suppress(FileNotFoundError):
            held = os.open(path / _LOCK, _OPENED, _PRIVATE)
            if _is_ours(path, held):
                return path, held
            os.close(held)


def _is_ours(path: Path, held: int) -> bool:
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        # Of a file system without locks nobody ever takes anything for left behind.
        return True
    try:
        return (path / _LOCK).stat().st_ino == os.fstat(held).st_ino
    except FileNotFoundError:
        return False


@contextmanager
def _held(path: Path) -> Iterator[None]:
    """Hold a folder of this account's; raises ``OSError`` if it is none, or somebody else does."""
    facts = path.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.geteuid():
        raise PermissionError(path)
    held = os.open(path / _LOCK, _OPENED, _PRIVATE)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(held)
