"""Guests in memory: what is installed stands at the end of the disk, and comes up if it should."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from corral.farm.application.ports.disk_files import RawFile
from corral.farm.domain.image.errors import DiskUnreadableError, WorkCancelledError
from corral.farm.domain.image.republishing_errors import GuestToolsNotInstalledError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, MutableMapping

    from corral.farm.application.ports.disk_files import ReadableDisk
    from corral.farm.application.ports.guest_tools import ToolsWork
    from corral.farm.application.progress import Progress


class MemoryGuestTools:
    """Writes what the kit's medium has to the end of a disk.

    Tests set ``problem``, and let something happen while a guest is at work.
    """

    def __init__(self, files: MutableMapping[Path, bytes]) -> None:
        self._files = files
        self.problem = ""
        """Why a guest does not come up, if it does not."""
        self.meanwhile: Callable[[], None] = lambda: None

    @contextmanager
    def installed(
        self, work: ToolsWork, progress: Progress, say: Callable[[str], None]
    ) -> Iterator[ReadableDisk]:
        """Lend a changed copy."""
        if not isinstance(work.disk, RawFile) or not isinstance(work.kit, RawFile):
            raise DiskUnreadableError(Path("/memory"), "there is no network in memory")
        say("its guest starts")
        self.meanwhile()
        if progress.is_cancelled:
            what = f"the republishing of {work.image}"
            raise WorkCancelledError(what)
        if self.problem:
            raise GuestToolsNotInstalledError(work.image, self.problem)
        before, kit = self._files[work.disk.path], self._files[work.kit.path]
        brought = f"{work.medium.name} of {len(kit)} bytes".encode()
        path = Path(f"/memory/republished/{work.image}")
        self._files[path] = before[: -len(brought)] + brought
        try:
            yield RawFile(path, len(before))
        finally:
            del self._files[path]
