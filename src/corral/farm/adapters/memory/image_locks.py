"""Locks of images in one process."""

from __future__ import annotations

from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING

from corral.farm.domain.image.errors import ImageBusyError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corral.farm.domain.image.image import ImageName


class MemoryImageLocks:
    """A set of names that are held."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._held: set[ImageName] = set()

    @contextmanager
    def hold(self, image: ImageName) -> Iterator[None]:
        """Hold the lock for the block; refused at once if anybody else holds it."""
        with self._lock:
            if image in self._held:
                raise ImageBusyError(image)
            self._held.add(image)
        try:
            yield
        finally:
            with self._lock:
                self._held.discard(image)

    def is_held(self, image: ImageName) -> bool:
        """Whether somebody holds it now."""
        with self._lock:
            return image in self._held
