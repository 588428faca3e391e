"""The port ``Scratch``: folders under the machine's own for temporary files.

Each is locked by the process that works in it. The kernel ends that lock however the process ends:
a folder that nobody holds was left by one that was killed.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME: Final = "corral-scratch-"
_OPENED: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class TemporaryScratch:
    """Folders of this account; those of others are theirs."""

    @contextmanager
    def folder(self, work: str) -> Iterator[Path]:
        """Lend one, after what killed work left has made room for it."""
        self.clear()
        path, held = _made(work)
        try:
            yield path
        finally:
            # While it is locked still: nobody else removes it at the same time.
            shutil.rmtree(path, ignore_errors=True)
            os.close(held)

    def clear(self) -> None:
        """Remove each that nobody holds."""
        for path in Path(tempfile.gettempdir()).glob(f"{_NAME}*"):
            with suppress(OSError), _held(path):
                shutil.rmtree(path)


def _made(work: str) -> tuple[Path, int]:
    """Make one and hold it; whoever clears may have been quicker, and taken it for left behind."""
    while True:
        path = Path(tempfile.mkdtemp(prefix=f"{_NAME}{work}-"))
        with suppress(FileNotFoundError, BlockingIOError):
            held = os.open(path, _OPENED)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if path.stat().st_ino == os.fstat(held).st_ino:
                    return path, held
            except BaseException:
                os.close(held)
                raise
            os.close(held)


@contextmanager
def _held(path: Path) -> Iterator[None]:
    """Hold a folder of this account's; raises ``OSError`` if it is none, or somebody else does."""
    if path.lstat().st_uid != os.geteuid():
        raise PermissionError(path)
    held = os.open(path, _OPENED)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(held)
