"""A version that is in the store in full, read as the file that it was made of."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING
from uuid import UUID, uuid5

import corral_native as native

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corral.wire.server import ServerFile


class VersionFile:
    """Each chunk is checked against its name before any of it is given."""

    def __init__(self, disk: native.Overlay) -> None:
        self._disk: native.Overlay | None = disk
        self._at = 0
        self.size_bytes = disk.size_bytes

    def read(self, length: int, /) -> bytes:
        """Give the next bytes, fewer at its end."""
        piece = self.read_at(self._at, length)
        self._at += len(piece)
        return piece

    def read_at(self, offset: int, length: int) -> bytes:
        """Give bytes from anywhere."""
        if self._disk is None:
            return b""
        left = min(length, self.size_bytes - offset)
        return self._disk.read_at(offset, left) if left > 0 else b""

    def close(self) -> None:
        """Let go of it, so that it can be removed."""
        self._disk = None


@contextmanager
def opened(
    store: native.Store, reader: str, version: native.ServedVersion
) -> Iterator[VersionFile]:
    """Read it; one at a time under the name of a reader. Raises ``NativeError``."""
    with suppress(native.UnknownOverlayError):  # of a reader that was killed
        native.Overlay.remove(store, reader)
    file = VersionFile(native.Overlay.create(store, reader, version, 0))
    try:
        yield file
    finally:
        file.close()
        native.Overlay.remove(store, reader)


def reader_of(server: ServerFile, purpose: str) -> str:
    """Name a reader: servers that share a folder, and what they read for, do not meet."""
    return str(uuid5(UUID(str(server.farm)), f"{server.server}/{purpose}"))
