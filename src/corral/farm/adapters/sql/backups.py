"""Backups and their rules in SQL."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Integer,
    String,
    Table,
    Text,
    Uuid,
    insert,
    select,
    update,
)
from sqlalchemy import delete as delete_from

from corral.farm.adapters.sql.rows import SINGLETON
from corral.farm.adapters.sql.tables import Instant, metadata
from corral.farm.domain.backup.backup import Backup, BackupId, BackupRules, Recipient, Retention
from corral.farm.domain.backup.errors import BackupUnknownError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from corral.farm.adapters.sql.rows import AnyRow

backup = Table(
    "backup",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("path", Text, nullable=False),
    Column("taken_at", Instant, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("release", String(63), nullable=False),
    Column("schema", String(32), nullable=False),
    Column("by", String(255), nullable=False),
    Column("has_chunks", Boolean(create_constraint=False), nullable=False),
    Column("verified_at", Instant),
    # Empty if no other release has read it.
    Column("read_by", Text, nullable=False),
)

backup_rules = Table(
    "backup_rules",
    metadata,
    # One row, there as soon as somebody sets the rules.
    Column("singleton", Integer, primary_key=True, autoincrement=False),
    Column("folder", Text),
    Column("recipients", JSON, nullable=False),
    Column("with_chunks", Boolean(create_constraint=False), nullable=False),
    Column("daily", Integer, nullable=False),
    Column("weekly", Integer, nullable=False),
    Column("monthly", Integer, nullable=False),
    Column("too_old_days", Integer, nullable=False),
    Column("revision", Integer, nullable=False),
)


class SqlBackups:
    """A row for each."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, of: Backup) -> None:
        """Remember one."""
        self._connection.execute(
            insert(backup).values({**vars(of), "path": str(of.path)}),
        )

    def all(self) -> Sequence[Backup]:
        """Give all, oldest first."""
        asked = select(backup).order_by(backup.c.taken_at, backup.c.id)
        return [_from(row) for row in self._connection.execute(asked)]

    def with_id(self, wanted: BackupId) -> Backup:
        """Give one."""
        row = self._connection.execute(select(backup).where(backup.c.id == wanted)).one_or_none()
        if row is None:
            raise BackupUnknownError(str(wanted))
        return _from(row)

    def set_verified(self, of: BackupId, at: datetime, read_by: str = "") -> None:
        """Say that it was found sound, and by which release it was read, if by any."""
        read = {"read_by": read_by} if read_by else {}
        self._connection.execute(
            update(backup).where(backup.c.id == of).values(verified_at=at, **read)
        )

    def remove(self, of: BackupId) -> None:
        """Forget it."""
        self._connection.execute(delete_from(backup).where(backup.c.id == of))


class SqlBackupRules:
    """One row."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self) -> BackupRules:
        """Give the rules."""
        row = self._connection.execute(select(backup_rules)).one_or_none()
        if row is None:
            return BackupRules()
        return BackupRules(
            folder=None if row.folder is None else Path(row.folder),
            recipients=tuple(map(Recipient, row.recipients)),
            with_chunks=row.with_chunks,
            retention=Retention(row.daily, row.weekly, row.monthly),
            too_old_days=row.too_old_days,
            revision=row.revision,
        )

    def change(self, seen: BackupRules, after: BackupRules) -> None:
        """Replace them."""
        self._connection.execute(delete_from(backup_rules))
        self._connection.execute(
            insert(backup_rules).values(
                singleton=SINGLETON,
                folder=None if after.folder is None else str(after.folder),
                recipients=list(after.recipients),
                with_chunks=after.with_chunks,
                daily=after.retention.daily,
                weekly=after.retention.weekly,
                monthly=after.retention.monthly,
                too_old_days=after.too_old_days,
                revision=seen.revision + 1,
            )
        )


def _from(row: AnyRow) -> Backup:
    return Backup(
        id=BackupId(row.id),
        path=Path(row.path),
        taken_at=row.taken_at,
        size_bytes=row.size_bytes,
        release=row.release,
        schema=row.schema,
        by=row.by,
        has_chunks=row.has_chunks,
        verified_at=row.verified_at,
        read_by=row.read_by,
    )
