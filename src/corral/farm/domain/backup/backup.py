"""A backup, and what is asked of backups."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NewType
from uuid import UUID

from corral.farm.domain.backup.errors import BackupFolderInvalidError, RetentionInvalidError

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from corral.farm.domain.estate.farm import FarmId, FarmName

BackupId = NewType("BackupId", UUID)
Recipient = NewType("Recipient", str)
"""Who can open what is encrypted for it: a public key, no secret."""

SUFFIX: Final = ".corral-backup"
TOO_OLD: Final = timedelta(days=2)
_MOST: Final = 1000


@dataclass(frozen=True)
class BackupFacts:
    """What a backup says of itself, readable without its key."""

    id: BackupId
    farm: FarmId
    farm_name: FarmName
    public_key: bytes
    """Of the farm; what the backup is signed with."""
    taken_at: datetime
    """It holds the farm as it was at this moment."""
    by: str
    release: str
    """Of Corral, which wrote it."""
    schema: str
    """Revision of the database's schema."""
    has_chunks: bool = False
    """Whether the chunks of every version were copied beside it."""
    readable_from: str | None = None
    """The oldest head revision of a release that still works on that schema; none of a backup from
    before databases said so."""

    @property
    def file_name(self) -> str:
        """Its name in a folder, in which no two have the same."""
        stamp = self.taken_at.strftime("%Y%m%dT%H%M%SZ")
        return f"{self.farm_name}-{stamp}-{self.id.hex[:8]}{SUFFIX}"


@dataclass(frozen=True)
class Backup:
    """A backup that the farm has made."""

    id: BackupId
    path: Path
    taken_at: datetime
    size_bytes: int
    release: str
    schema: str
    by: str
    has_chunks: bool = False
    verified_at: datetime | None = None
    """When it was last restored to a scratch place and found to be a whole farm."""
    read_by: str = ""
    """The release whose own programs last expanded and read it there; empty if none has."""

    @property
    def name(self) -> str:
        """What people call it."""
        return self.path.name


@dataclass(frozen=True)
class Retention:
    """How many backups a roll-up keeps: the newest of each of so many days, weeks and months."""

    daily: int = 7
    weekly: int = 4
    monthly: int = 12

    def __post_init__(self) -> None:
        for what, given, least in (
            ("daily backups", self.daily, 1),
            ("weekly backups", self.weekly, 0),
            ("monthly backups", self.monthly, 0),
        ):
            if not least <= given <= _MOST:
                raise RetentionInvalidError(what, given, least, _MOST)


@dataclass(frozen=True)
class BackupRules:
    """Where backups go, who can open them, and how many are kept."""

    folder: Path | None = None
    recipients: tuple[Recipient, ...] = ()
    with_chunks: bool = False
    retention: Retention = field(default_factory=Retention)
    too_old_days: int = TOO_OLD.days
    """When the farm check warns."""
    revision: int = 1
    """Goes up with each change."""

    def __post_init__(self) -> None:
        if self.folder is not None and not self.folder.is_absolute():
            raise BackupFolderInvalidError(str(self.folder))
        if not 1 <= self.too_old_days <= _MOST:
            what = "days"
            raise RetentionInvalidError(what, self.too_old_days, 1, _MOST)
