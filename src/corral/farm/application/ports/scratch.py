"""Folders for what is not kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path


class Scratch(Protocol):
    """Lends folders on this machine, for work that is done again if its process is killed."""

    def folder(self, work: str) -> AbstractContextManager[Path]:
        """Lend an empty one for the length of the block, named after the work.

        Nobody else may enter it, and nothing of it is left; ``OSError`` if none can be made.
        """
        ...

    def clear(self) -> None:
        """Remove what work left that was killed; folders of work that goes on are not touched."""
        ...
