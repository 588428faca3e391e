"""Roll up: take away backups that the retention does not keep."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.domain.backup.retention import kept

if TYPE_CHECKING:
    from pathlib import Path

    from corral.farm.application.ports.backups import BackupFiles
    from corral.farm.application.ports.records import Transactions
    from corral.farm.domain.backup.backup import Backup


class RollUpBackups:
    """Looks at the farm's folder of backups, and at no file there that the farm has not made."""

    def __init__(self, transactions: Transactions, files: BackupFiles) -> None:
        self._transactions = transactions
        self._files = files

    def __call__(self, *, is_dry_run: bool = False) -> tuple[Backup, ...]:
        """Give those that are taken away, or would be."""
        with self._transactions.reading() as records:
            folder = records.backup_rules.get().folder
        if folder is None:
            return ()
        return roll_up(self._transactions, self._files, folder, is_dry_run=is_dry_run)


def roll_up(
    transactions: Transactions, files: BackupFiles, folder: Path, *, is_dry_run: bool = False
) -> tuple[Backup, ...]:
    """Take away what is not kept of the farm's folder; other folders are left alone.

    First the file, then what the farm knows of it: cut off between the two, the next roll-up
    finishes it. A backup whose file somebody else took away keeps no other from staying, and is
    forgotten, but only where any of the farm's backups is seen: an empty folder may be one that is
    not mounted. One that is damaged keeps no other from staying either, and is left to people.
    """
    with transactions.reading() as records:
        rules = records.backup_rules.get()
        known = [one for one in records.backups.all() if one.path.parent == folder]
    if folder != rules.folder or not known:
        return ()
    seen = files.seen(folder)
    there = {one.path for one in seen}
    damaged = {one.path for one in seen if one.problem is not None}
    sound = [one for one in known if one.path in there - damaged]
    if not sound:
        return ()
    keep = kept(sound, rules.retention)
    gone = tuple(one for one in known if one.id not in keep and one.path not in damaged)
    if is_dry_run:
        return tuple(one for one in gone if one.path in there)
    for one in gone:
        files.remove(one.path)
        with transactions.writing() as records:
            records.backups.remove(one.id)
    return tuple(one for one in gone if one.path in there)
