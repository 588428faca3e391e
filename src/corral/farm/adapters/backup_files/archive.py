"""The archive inside a backup: tar, made and read as a stream."""

from __future__ import annotations

import io
import re
import tarfile
from typing import TYPE_CHECKING, Final

from corral.farm.application.ports.backups import Member

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import IO

# As wide as the names of files that a farm may keep, or a backup of it would not open again; none
# of them leads out of a folder or hides in one.
_NAME: Final = re.compile(r"[a-z]+(/[^/.\0][^/\0]*){0,2}|[a-z]+\.json")
_MOST_BYTES: Final = 64 << 20
_BLOCK: Final = tarfile.BLOCKSIZE


class NotOursError(Exception):
    """The archive holds what no backup holds."""


class Packed(io.RawIOBase):
    """A stream to read, which packs members as they are asked for.

    Whatever making them raises is kept in ``failure``: it is lost on its way through the
    encryption, which knows only errors of its own.
    """

    def __init__(self, members: Iterable[Member], mtime: int, look: Callable[[int], None]) -> None:
        self._pieces = _packed(members, mtime)
        self._look = look
        self._left = memoryview(b"")
        self.failure: BaseException | None = None

    def readable(self) -> bool:
        """Say yes."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # narrower, as ``io`` calls it
        """Give the next bytes."""
        try:
            while not self._left:
                self._left = memoryview(next(self._pieces, b""))
                if not self._left:
                    return 0
            given = min(len(buffer), len(self._left))
            buffer[:given] = self._left[:given]
            self._left = self._left[given:]
            self._look(given)
        except BaseException as error:
            self.failure = error
            raise
        return given


def _packed(members: Iterable[Member], mtime: int) -> Iterator[bytes]:
    for member in members:
        info = tarfile.TarInfo(member.name)
        info.size, info.mode, info.mtime = len(member.content), 0o600, mtime
        yield info.tobuf(tarfile.PAX_FORMAT)
        if member.content:
            yield member.content
        if len(member.content) % _BLOCK:
            yield bytes(-len(member.content) % _BLOCK)
    yield bytes(2 * _BLOCK)


def unpacked(stream: IO[bytes]) -> Iterator[Member]:
    """Give the members of a stream.

    Raises ``tarfile.TarError`` and ``NotOursError``. Nothing is ever written by the names that
    stand in it.
    """
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for info in archive:
            is_ours = info.isreg() and _NAME.fullmatch(info.name) and info.size <= _MOST_BYTES
            file = archive.extractfile(info) if is_ours else None
            if file is None:
                raise NotOursError(info.name)
            content = file.read()
            if len(content) != info.size:
                raise NotOursError(info.name)
            yield Member(info.name, content)
