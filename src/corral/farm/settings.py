"""Where a farm lives: its folder, and what that folder says and implies."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from corral.farm.domain.estate.errors import FarmSettingsUnusableError

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER_VARIABLE: Final = "CORRAL_FARM"
DATABASE_VARIABLE: Final = "CORRAL_DATABASE_URL"
DEFAULT_FOLDER: Final = Path("/var/lib/corral")
DEFAULT_API_URL: Final = "http://127.0.0.1:10800"

_FORMAT: Final = 1
_EMBEDDED: Final = "sqlite:///"


@dataclass(frozen=True)
class FarmSettings:
    """Everything that is read from outside before the farm is opened."""

    folder: Path
    """Absolute."""
    database_url: str
    """``sqlite:///PATH``, in the folder unless told otherwise, or ``postgresql://…``."""

    @classmethod
    def read(cls, folder: Path | None, environment: Mapping[str, str]) -> FarmSettings:
        """Take the folder as given, else from ``CORRAL_FARM``, else the default.

        The database is that of ``CORRAL_DATABASE_URL``, else of the folder's settings file, else
        the one in the folder. Raises ``FarmSettingsUnusableError``.
        """
        chosen = (folder or Path(environment.get(FOLDER_VARIABLE) or DEFAULT_FOLDER)).absolute()
        settings = cls.embedded(chosen)
        url = environment.get(DATABASE_VARIABLE) or _kept_database(settings.settings_file)
        return settings.with_database(url) if url else settings

    @classmethod
    def embedded(cls, folder: Path) -> FarmSettings:
        """Give those of a farm with its database in its folder."""
        return cls(folder, f"{_EMBEDDED}{folder / 'farm.db'}")

    def with_folder(self, folder: Path) -> FarmSettings:
        """Give the same in another folder, and an embedded database with it."""
        if self.database_file is not None:
            return FarmSettings(folder, f"{_EMBEDDED}{folder / self.database_file.name}")
        return replace(self, folder=folder)

    def with_database(self, url: str) -> FarmSettings:
        """Give the same with another database."""
        return replace(self, database_url=url)

    @property
    def database_file(self) -> Path | None:
        """The file of an embedded database; none for one that is elsewhere."""
        is_embedded = self.database_url.startswith(_EMBEDDED)
        return Path(self.database_url.removeprefix(_EMBEDDED)) if is_embedded else None

    @property
    def tasks_file(self) -> Path | None:
        """The queues of tasks beside an embedded database; none where the database has them."""
        file = self.database_file
        return None if file is None else file.with_name(f"{file.stem}-tasks.db")

    @property
    def settings_file(self) -> Path:
        """What must be known before the database can be opened."""
        return self.folder / "farm.json"

    @property
    def settings_text(self) -> str:
        """What the settings file holds; a farm with an embedded database has none."""
        return json.dumps({"format": _FORMAT, "database": self.database_url}, indent=2) + "\n"

    @property
    def key_file(self) -> Path:
        """The farm's signing key."""
        return self.folder / "farm.key"

    @property
    def logins_file(self) -> Path:
        """The snapshot of logins that an API process on this machine keeps."""
        return self.folder / "logins.json"

    @property
    def locks_folder(self) -> Path:
        """Locks of images."""
        return self.folder / "locks"

    @property
    def log_file(self) -> Path:
        """Where unexpected errors of the command line are written down."""
        return self.folder / "log" / "corral.log"


def _kept_database(path: Path) -> str | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise FarmSettingsUnusableError(path, (error.strerror or str(error)).lower()) from error
    except ValueError as error:
        reason = "it is not JSON"
        raise FarmSettingsUnusableError(path, reason) from error
    match content:
        case {"format": 1, "database": str(url)}:
            return url
        case _:
            reason = f"it is not of format {_FORMAT}, or names no database"
            raise FarmSettingsUnusableError(path, reason)
