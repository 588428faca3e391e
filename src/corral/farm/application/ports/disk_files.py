"""Disk image files as people bring them and take them away."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from corral.farm.application.progress import Progress


class DiskFormat(StrEnum):
    """Formats of disk images by the names that people give them."""

    RAW = "raw"
    QCOW2 = "qcow2"
    VHD = "vhd"
    VHDX = "vhdx"
    VMDK = "vmdk"
    VDI = "vdi"


@dataclass(frozen=True)
class DiskFacts:
    """What an inspection found."""

    path: Path
    format: DiskFormat
    size_bytes: int
    """Size of the disk as a machine sees it, not of the file."""


@dataclass(frozen=True)
class RawFile:
    """A disk whose bytes are a file's bytes."""

    path: Path
    size_bytes: int


@dataclass(frozen=True)
class NbdSocket:
    """A disk that somebody serves over NBD on a unix socket."""

    socket: Path
    export: str
    size_bytes: int
    origin: Path | None = None
    """The file that is being served, where it is one: what a message should name."""


ReadableDisk: TypeAlias = RawFile | NbdSocket


class DiskFiles(Protocol):
    """Reads and writes disk image files.

    Raises ``DiskNotAnImageError``, ``DiskDamagedError``, ``DiskBackingMissingError``,
    ``DiskUnreadableError``, ``ProgramMissingError``; on writing also ``ExportExistsError``.
    """

    def inspect(self, path: Path, wanted: DiskFormat | None = None) -> DiskFacts:
        """Look at a file; ``wanted`` is its format where that must not be guessed."""
        ...

    def opened(self, disk: DiskFacts) -> AbstractContextManager[ReadableDisk]:
        """Make the disk's content readable for the length of the block."""
        ...

    def write(
        self,
        source: ReadableDisk,
        target: Path,
        wanted: DiskFormat,
        progress: Progress,
        *,
        overwrite: bool,
    ) -> None:
        """Write ``source`` as a disk image file, complete or not at all."""
        ...
