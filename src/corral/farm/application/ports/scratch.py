"""Folders for what is not kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path


class Scratch(Protocol):
    """Lends folders on this machine, for work that is done again if its process is killed.

    Nobody else may enter one, and nothing of it is left. Names that begin with a dot are not for
    the work. ``OSError`` if none can be made.
    """

    def folder(self, work: str) -> AbstractContextManager[Path]:
        """Lend one for the length of the block, named after the work."""
        ...

    def beside(self, target: Path) -> AbstractContextManager[Path]:
        """Lend one on the file system of a file that is to be put in its place when it is whole."""
        ...

    def clear(self) -> None:
        """Remove what work left that was killed; folders of work that goes on are not touched.

        What lies beside a target is removed when work begins beside another one of that folder.
        """
        ...
