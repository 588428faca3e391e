"""Backups in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from corral.farm.domain.backup.backup import BackupRules
from corral.farm.domain.backup.errors import BackupUnknownError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from corral.farm.adapters.memory.state import State
    from corral.farm.application.ports.backups import Restoration
    from corral.farm.domain.backup.backup import Backup, BackupId
    from corral.farm.domain.backup.observation import Observation
    from corral.farm.domain.estate.server import ServerId


class MemoryBackups:
    """Backups by id."""

    def __init__(self, state: State) -> None:
        self._state = state

    def add(self, backup: Backup) -> None:
        """Remember one."""
        self._state.backups[backup.id] = backup

    def all(self) -> Sequence[Backup]:
        """Give all, oldest first."""
        return sorted(self._state.backups.values(), key=lambda one: (one.taken_at, one.id))

    def with_id(self, backup: BackupId) -> Backup:
        """Give one."""
        try:
            return self._state.backups[backup]
        except KeyError:
            raise BackupUnknownError(str(backup)) from None

    def set_verified(self, backup: BackupId, at: datetime, read_by: str = "") -> None:
        """Say that it was found sound, and by which release it was read, if by any."""
        seen = self.with_id(backup)
        self._state.backups[backup] = replace(seen, verified_at=at, read_by=read_by or seen.read_by)

    def remove(self, backup: BackupId) -> None:
        """Forget one."""
        self._state.backups.pop(backup, None)


class MemoryBackupRules:
    """The rules."""

    def __init__(self, state: State) -> None:
        self._state = state

    def get(self) -> BackupRules:
        """Give them."""
        return self._state.backup_rules or BackupRules()

    def change(self, seen: BackupRules, after: BackupRules) -> None:
        """Replace them."""
        self._state.backup_rules = replace(after, revision=seen.revision + 1)


class MemoryRestorations:
    """The last one."""

    def __init__(self, state: State) -> None:
        self._state = state

    def find(self) -> Restoration | None:
        """Give it."""
        return self._state.restoration

    def put(self, restoration: Restoration) -> None:
        """Replace it."""
        self._state.restoration = restoration


class MemoryObservations:
    """Observations by server."""

    def __init__(self, state: State) -> None:
        self._state = state

    def find(self, server_id: ServerId) -> Observation | None:
        """Give what one server said."""
        return self._state.observations.get(server_id)

    def all(self) -> Sequence[Observation]:
        """Give all."""
        return sorted(self._state.observations.values(), key=lambda one: one.server_id)

    def put(self, observation: Observation) -> None:
        """Replace what it said before."""
        self._state.observations[observation.server_id] = observation

    def forget_all(self) -> None:
        """Forget all."""
        self._state.observations.clear()
