"""Backups as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from corral.farm.application.create_backup import CreatedBackup
    from corral.farm.application.list_backups import BackupList, BackupView
    from corral.farm.application.restore_farm import RestoredFarm
    from corral.farm.application.verify_backup import VerifiedBackup
    from corral.farm.domain.backup.backup import Backup, BackupFacts, BackupRules
    from corral.farm.entrypoints.cli.output import Json


def backup(of: Backup) -> dict[str, Json]:
    """Give a backup that the farm knows."""
    return {
        "id": str(of.id),
        "name": of.name,
        "path": str(of.path),
        "taken_at": of.taken_at.isoformat(),
        "size_bytes": of.size_bytes,
        "release": of.release,
        "schema": of.schema,
        "by": of.by,
        "has_chunks": of.has_chunks,
        "verified_at": None if of.verified_at is None else of.verified_at.isoformat(),
        "read_by": of.read_by,
    }


def facts(of: BackupFacts) -> dict[str, Json]:
    """Give what a file says of itself."""
    return {
        "id": str(of.id),
        "farm": str(of.farm),
        "farm_name": of.farm_name,
        "farm_public_key": of.public_key.hex(),
        "taken_at": of.taken_at.isoformat(),
        "by": of.by,
        "release": of.release,
        "schema": of.schema,
        "has_chunks": of.has_chunks,
    }


def created(of: CreatedBackup) -> dict[str, Json]:
    """Give a backup that was just made."""
    return {
        **backup(of.backup),
        "copied_versions": of.copied_versions,
        "rolled_up": [one.name for one in of.rolled_up],
    }


def view(of: BackupView) -> dict[str, Json]:
    """Give a line of the list."""
    known: dict[str, Json] = {"path": str(of.path), "name": of.path.name}
    if of.file is not None:
        known["size_bytes"] = of.file.size_bytes
        if of.file.facts is not None:
            known |= facts(of.file.facts)
    if of.backup is not None:
        known |= backup(of.backup)
    return {
        **known,
        "is_known": of.backup is not None,
        "is_present": of.file is not None,
        "problem": of.problem,
    }


def rules(of: BackupRules) -> dict[str, Json]:
    """Give where backups go."""
    return {
        "folder": None if of.folder is None else str(of.folder),
        "recipients": list(of.recipients),
        "with_chunks": of.with_chunks,
        "daily": of.retention.daily,
        "weekly": of.retention.weekly,
        "monthly": of.retention.monthly,
        "too_old_days": of.too_old_days,
    }


def listed(of: BackupList) -> dict[str, Json]:
    """Give the whole list."""
    last = of.restoration
    return {
        "rules": rules(of.rules),
        "backups": [view(one) for one in of.backups],
        "folder_problem": of.folder_problem,
        "restored": None
        if last is None
        else {
            "backup": str(last.backup),
            "taken_at": last.taken_at.isoformat(),
            "restored_at": last.restored_at.isoformat(),
        },
    }


def verified(of: VerifiedBackup, *, is_noted: bool) -> dict[str, Json]:
    """Give what a verification found."""
    return {
        **facts(of.facts),
        "sound": True,
        "rows": dict(of.rows),
        "files": list(of.files),
        "versions": of.versions,
        "missing_versions": [str(one) for one in of.missing],
        "noted": is_noted,
        "read_by": of.read_by,
        "left_out": list(of.left_out),
    }


def restored(of: RestoredFarm, folder: str, database: str) -> dict[str, Json]:
    """Give what was restored."""
    return {
        **facts(of.facts),
        "folder": folder,
        "database": database,
        "rows": of.rows,
        "files": of.files,
        "generation": of.generation,
        "open_tasks": of.open_tasks,
        "took_seconds": round(of.took_seconds, 3),
        "left_out": list(of.left_out),
    }
