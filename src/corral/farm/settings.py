"""Where a farm lives: its folder, and what that folder implies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER_VARIABLE: Final = "CORRAL_FARM"
DATABASE_VARIABLE: Final = "CORRAL_DATABASE_URL"
DEFAULT_FOLDER: Final = Path("/var/lib/corral")
DEFAULT_API_URL: Final = "http://127.0.0.1:10800"


@dataclass(frozen=True)
class FarmSettings:
    """Everything that is read from outside before the farm is opened."""

    folder: Path
    """Absolute."""
    database_url: str
    """SQLAlchemy URL; the embedded SQLite in the folder unless told otherwise."""

    @classmethod
    def read(cls, folder: Path | None, environment: Mapping[str, str]) -> FarmSettings:
        """Take the folder as given, else from ``CORRAL_FARM``, else the default."""
        chosen = (folder or Path(environment.get(FOLDER_VARIABLE) or DEFAULT_FOLDER)).absolute()
        return cls(
            folder=chosen,
            database_url=environment.get(DATABASE_VARIABLE) or f"sqlite:///{chosen / 'farm.db'}",
        )

    @property
    def database_file(self) -> Path | None:
        """The file of an embedded database; none for one that is elsewhere."""
        scheme, separator, path = self.database_url.partition(":///")
        return Path(path) if separator and scheme.startswith("sqlite") else None

    @property
    def key_file(self) -> Path:
        """The farm's signing key."""
        return self.folder / "farm.key"

    @property
    def locks_folder(self) -> Path:
        """Locks of images."""
        return self.folder / "locks"

    @property
    def log_file(self) -> Path:
        """Where unexpected errors of the command line are written down."""
        return self.folder / "log" / "corral.log"
