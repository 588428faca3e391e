"""Putting guest tools into a disk: by its own guest, which is started for that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from corral.farm.application.ports.disk_files import ReadableDisk
    from corral.farm.application.progress import Progress
    from corral.farm.domain.computer.policy import MachinePolicy
    from corral.farm.domain.image.image import ImageName
    from corral.farm.domain.library.kit import KitFile
    from corral.farm.domain.library.release import Release


@dataclass(frozen=True)
class ToolsWork:
    """What is to be put into which disk."""

    image: ImageName
    disk: ReadableDisk
    """It is not written to."""
    policy: MachinePolicy
    """How a machine of the image is run."""
    release: Release
    """Of the guest tools."""
    kit: ReadableDisk
    """The kit that brings them, as the file that it was made of."""
    medium: KitFile
    """The file of the kit that has them."""


class GuestTools(Protocol):
    """Installs guest tools."""

    def installed(
        self, work: ToolsWork, progress: Progress, say: Callable[[str], None]
    ) -> AbstractContextManager[ReadableDisk]:
        """Lend the disk as it is with the tools in it, for the length of the block.

        Its guest has installed them, has shut down, and came up with them in a start whose writes
        were thrown away. ``say`` is told each step.

        Raises ``GuestToolsNotInstalledError`` with the reason, ``ProgramMissingError``,
        ``WorkCancelledError``. Whatever happens, nothing of it is left.
        """
        ...
