"""One writer per image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from corral.farm.domain.image.image import ImageName


class ImageLocks(Protocol):
    """Locks by image name, held by a process: they end with it, however it ends.

    By name and not by id, because the first import into an image begins before the image exists.
    """

    def hold(self, image: ImageName) -> AbstractContextManager[None]:
        """Hold the lock for the block; ``ImageBusyError`` at once if anybody else holds it."""
        ...

    def is_held(self, image: ImageName) -> bool:
        """Whether somebody holds it now: an import or a delete is under way."""
        ...
