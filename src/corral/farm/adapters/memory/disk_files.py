"""Disk image files in memory, all of them raw."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from corral.farm.application.ports.disk_files import DiskFacts, DiskFormat, RawFile
from corral.farm.application.progress import Amounts
from corral.farm.domain.image.errors import (
    DiskNotAnImageError,
    DiskUnreadableError,
    ExportExistsError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping
    from pathlib import Path

    from corral.farm.application.ports.disk_files import ReadableDisk
    from corral.farm.application.progress import Progress


class MemoryDiskFiles:
    """Files by path in a mapping that the memory chunk stores read from, too."""

    def __init__(self, files: MutableMapping[Path, bytes]) -> None:
        self._files = files

    def inspect(self, path: Path, wanted: DiskFormat | None = None) -> DiskFacts:
        """Look at a file; an empty one is no disk."""
        if path not in self._files:
            raise DiskUnreadableError(path, "no such file")
        if not self._files[path]:
            raise DiskNotAnImageError(path, "it is empty")
        return DiskFacts(path, wanted or DiskFormat.RAW, len(self._files[path]))

    @contextmanager
    def opened(self, disk: DiskFacts) -> Iterator[ReadableDisk]:
        """Give the file itself."""
        yield RawFile(disk.path, disk.size_bytes)

    def write(
        self,
        source: ReadableDisk,
        target: Path,
        wanted: DiskFormat,  # noqa: ARG002 - every format is raw here
        progress: Progress,
        *,
        overwrite: bool,
    ) -> None:
        """Copy the bytes."""
        if target in self._files and not overwrite:
            raise ExportExistsError(target)
        if not isinstance(source, RawFile):
            raise DiskUnreadableError(target, "there is no network in memory")
        self._files[target] = self._files[source.path]
        progress.watch(_Copied(source.size_bytes))


class _Copied:
    def __init__(self, size_bytes: int) -> None:
        self._size_bytes = size_bytes

    def amounts(self) -> Amounts:
        return Amounts(total_bytes=self._size_bytes, done_bytes=self._size_bytes)

    def cancel(self) -> None:
        """Too late: it is done."""
