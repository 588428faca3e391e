"""Write cpio archives in the "newc" form, which Linux unpacks as its first root file system.

Written here because the archive must be the same bytes for the same files (fixed owner, times and
order), may hold secrets that should touch no other program, and is 110 bytes of header per file.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import PurePosixPath

_MAGIC: Final = "070701"
_TRAILER: Final = "TRAILER!!!"
_ALIGNMENT: Final = 4


@dataclass
class Archive:
    """Files, folders and links to be, in the order in which they were added; all of them root's."""

    _parts: list[bytes] = field(default_factory=list)
    _folders: set[str] = field(default_factory=set)
    _count: int = 0

    def add_file(self, path: PurePosixPath, content: bytes, mode: int = 0o644) -> None:
        """Add a regular file, and the folders above it that are not there yet."""
        self._add_folders_above(path)
        self._add(str(path), stat.S_IFREG | mode, content)

    def add_link(self, path: PurePosixPath, target: str) -> None:
        """Add a symbolic link, and the folders above it that are not there yet."""
        self._add_folders_above(path)
        self._add(str(path), stat.S_IFLNK | 0o777, target.encode())

    def add_folder(self, path: PurePosixPath, mode: int = 0o755) -> None:
        """Add a folder, and those above it that are not there yet."""
        self._add_folders_above(path)
        if str(path) not in self._folders:
            self._folders.add(str(path))
            self._add(str(path), stat.S_IFDIR | mode, b"")

    def to_bytes(self) -> bytes:
        """Give the finished archive: a multiple of 4 bytes, so that another may be appended."""
        return b"".join([*self._parts, _entry(_TRAILER, 0, 0, b"")])

    def _add_folders_above(self, path: PurePosixPath) -> None:
        for folder in reversed(path.parents):
            if str(folder) not in {".", "/"}:
                self.add_folder(folder)

    def _add(self, name: str, mode: int, content: bytes) -> None:
        self._count += 1
        self._parts.append(_entry(name.lstrip("/"), self._count, mode, content))


def _entry(name: str, inode: int, mode: int, content: bytes) -> bytes:
    encoded = name.encode() + b"\0"
    links = 2 if stat.S_ISDIR(mode) else 1
    # In order: inode, mode, owner, group, links, time, size, the device's two numbers, a special
    # file's two numbers, the length of the name, and a check sum that this form does not use.
    fields = (inode, mode, 0, 0, links, 0, len(content), 0, 0, 0, 0, len(encoded), 0)
    header = (_MAGIC + "".join(f"{value:08x}" for value in fields)).encode()
    return _padded(header + encoded) + _padded(content)


def _padded(part: bytes) -> bytes:
    return part + b"\0" * (-len(part) % _ALIGNMENT)
