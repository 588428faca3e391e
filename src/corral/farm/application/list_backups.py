"""List the backups of the farm, and whatever else lies where they go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corral.farm.domain.backup.errors import BackupFolderUnusableError, BackupUnknownError

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from corral.farm.application.ports.backups import BackupFiles, Restoration, SeenFile
    from corral.farm.application.ports.records import Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.backup.backup import Backup, BackupRules


@dataclass(frozen=True)
class BackupView:
    """A backup that the farm knows, a file that lies there, or both."""

    path: Path
    at: datetime
    """When the list was made."""
    backup: Backup | None = None
    """None of a file that this farm has not made, or has forgotten."""
    file: SeenFile | None = None
    """None where it is not seen: taken away, or its folder is not mounted here."""

    @property
    def taken_at(self) -> datetime | None:
        """When, as far as that can be told."""
        if self.backup is not None:
            return self.backup.taken_at
        facts = None if self.file is None else self.file.facts
        return None if facts is None else facts.taken_at

    @property
    def size_bytes(self) -> int:
        """Of the file, or as it was written."""
        if self.file is not None:
            return self.file.size_bytes
        return 0 if self.backup is None else self.backup.size_bytes

    @property
    def problem(self) -> str:
        """What is wrong with it, as far as that is seen without its key."""
        if self.file is None:
            return "there is no such file"
        return "" if self.file.problem is None else self.file.problem.message


@dataclass(frozen=True)
class BackupList:
    """Newest first."""

    rules: BackupRules
    backups: tuple[BackupView, ...]
    restoration: Restoration | None
    folder_problem: str = ""
    """Why the folder could not be looked at."""


class ListBackups:
    """Puts together what the farm remembers and what is there."""

    def __init__(self, transactions: Transactions, files: BackupFiles, clock: Clock) -> None:
        self._transactions = transactions
        self._files = files
        self._clock = clock

    def __call__(self) -> BackupList:
        """Give the list; a folder that cannot be looked at is told, not raised."""
        with self._transactions.reading() as records:
            rules = records.backup_rules.get()
            known = records.backups.all()
            restoration = records.restorations.find()
        folders = {one.path.parent for one in known}
        if rules.folder is not None:
            folders.add(rules.folder)
        problem = ""
        seen: dict[Path, SeenFile] = {}
        for folder in sorted(folders):
            try:
                seen.update((one.path, one) for one in self._files.seen(folder))
            except BackupFolderUnusableError as error:
                # Before the first backup, the folder need not be there.
                problem = error.message if known else problem
        now = self._clock.now()
        views = [BackupView(one.path, now, one, seen.pop(one.path, None)) for one in known]
        views += [BackupView(path, now, None, file) for path, file in seen.items()]
        views.sort(key=lambda one: (one.taken_at is None, one.taken_at or now, one.path))
        return BackupList(rules, tuple(reversed(views)), restoration, problem)

    def rules(self) -> BackupRules:
        """Give the rules alone."""
        with self._transactions.reading() as records:
            return records.backup_rules.get()

    def newest(self) -> Path:
        """Give the file of the newest backup that is there; raises ``BackupUnknownError``."""
        for one in self().backups:
            if one.backup is not None and not one.problem:
                return one.path
        what = "of this farm"
        raise BackupUnknownError(what)
