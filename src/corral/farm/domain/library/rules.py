"""Where files for the library are looked for, and what keeps one from being offered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from corral.farm.domain.errors import EditConflictError
from corral.farm.domain.library.errors import LibraryFolderInvalidError

if TYPE_CHECKING:
    from pathlib import Path

AT_REST: Final = timedelta(seconds=10)
"""A file without a signed size is complete once nobody has written to it for so long (S19)."""


class LibraryRulesChangedError(EditConflictError):
    """The import folder is changed by one person at a time; the second looks again."""

    code = "library-rules-changed"

    def __init__(self) -> None:
        super().__init__(
            "the import folder was changed by somebody else since you looked: look again with"
            " 'corral library folder', then repeat your change if it still makes sense"
        )


@dataclass(frozen=True)
class LibraryRules:
    """Where files are imported from."""

    folder: Path | None = None
    revision: int = 1

    def __post_init__(self) -> None:
        if self.folder is not None and not self.folder.is_absolute():
            raise LibraryFolderInvalidError(str(self.folder))
