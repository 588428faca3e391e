"""Verify a backup: restore it to a scratch place, and look whether it is a farm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corral.farm.application.import_into_library import trusted_keys
from corral.farm.application.restore_farm import fill
from corral.farm.domain.backup.errors import BackupUnknownError, BackupUnsoundError
from corral.farm.domain.errors import DomainError
from corral.farm.domain.image.replica import ReplicaState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from corral.farm.application.ports.backups import (
        BackupFiles,
        BackupKey,
        BackupReader,
        BackupReaders,
        NewFarm,
    )
    from corral.farm.application.ports.chunk_stores import ChunkStores
    from corral.farm.application.ports.farm_key import SignatureCheck
    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.application.progress import Progress
    from corral.farm.domain.backup.backup import BackupFacts, BackupId
    from corral.farm.domain.estate.farm import Farm
    from corral.farm.domain.image.version import Version, VersionName


@dataclass(frozen=True)
class VerifiedBackup:
    """A backup that is a farm."""

    facts: BackupFacts
    rows: Mapping[str, int]
    files: tuple[str, ...]
    versions: int
    """Published versions, each signed by the farm's key."""
    missing: tuple[VersionName, ...]
    """Versions that no server had whole when the backup was taken, nor any store on this machine
    has now, nor the copy beside the backup: their bytes would have to come from elsewhere."""
    left_out: tuple[str, ...] = ()
    """Tables and columns of a newer release, which a farm of this release would come without."""
    read_by: str = ""
    """The other release that has read it, too; empty if none was to."""


class VerifyBackup:
    """Restores to a scratch folder with an SQLite database, whatever the farm's own is.

    The dump is the same for every kind of database, so that this proves it without needing a
    second server. What another release does there it does in processes of its own.
    """

    def __init__(
        self,
        files: BackupFiles,
        scratch: Callable[[], AbstractContextManager[NewFarm]],
        stores: ChunkStores,
        is_signed: SignatureCheck,
    ) -> None:
        self._files = files
        self._scratch = scratch
        self._stores = stores
        self._is_signed = is_signed

    def __call__(
        self,
        path: Path,
        key: BackupKey,
        progress: Progress,
        reader: BackupReader | None = None,
    ) -> VerifiedBackup:
        """Give what was found, also by the programs of another release.

        Raises ``BackupUnsoundError``, ``BackupUnreadError``, and what ``BackupFiles.opened``
        raises.
        """
        with self._scratch() as new:
            filled = fill(self._files, new, path, key, progress=progress)
            new.transactions.set_up()
            with new.transactions.reading() as records:
                farm = records.farm.get()
                self._check_key(new, farm, path)
                published = [one for one in records.versions.all() if one.is_published]
                for version in published:
                    self._check_signature(farm, version, path)
                missing = tuple(
                    one.name
                    for one in published
                    if not self._is_held(records, farm, one, path.parent / "chunks")
                )
            # Last, for it changes the scratch farm.
            if reader is not None:
                reader.read(new.home)
        return VerifiedBackup(
            filled.facts,
            filled.rows,
            filled.files,
            len(published),
            missing,
            filled.left_out,
            "" if reader is None else reader.release,
        )

    @staticmethod
    def _check_key(new: NewFarm, farm: Farm, path: Path) -> None:
        try:
            public = new.key.public_key()
        except DomainError as error:
            reason = "it has no signing key that could be used"
            raise BackupUnsoundError(path, reason) from error
        if public != farm.public_key:
            reason = "its signing key is not that of its farm"
            raise BackupUnsoundError(path, reason)

    def _check_signature(self, farm: Farm, version: Version, path: Path) -> None:
        if not self._is_signed(farm.public_key, version.root.signed_message(), version.signature):
            reason = f"the root of {version.name} is not signed by its farm"
            raise BackupUnsoundError(path, reason)

    def _is_held(self, records: Records, farm: Farm, version: Version, copy: Path) -> bool:
        replicas = records.replicas.of_root(version.root)
        if any(one.state is ReplicaState.COMPLETE for one in replicas):
            return True
        paths = [records.servers.with_id(one.server_id).store.path for one in replicas]
        for path in (copy, *paths):
            try:
                if self._stores.open(path, farm.id).holds(version.root):
                    return True
            except DomainError:
                continue  # not on this machine
        return False


class NoteVerifiedBackup:
    """Remembers in the farm that a backup was verified."""

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    def __call__(self, backup: BackupId, read_by: str = "") -> bool:
        """Say whether it is one of this farm's; ``read_by``: the release that has read it."""
        with self._transactions.writing() as records:
            try:
                records.backups.with_id(backup)
            except BackupUnknownError:
                return False
            records.backups.set_verified(backup, self._clock.now(), read_by)
        return True


class LayKitOut:
    """Gives the programs of a kit, for a backup to be read by them."""

    def __init__(self, transactions: Transactions, readers: BackupReaders) -> None:
        self._transactions = transactions
        self._readers = readers

    def __call__(self, kit: Path) -> AbstractContextManager[BackupReader]:
        """Lay it out in a scratch place, if the farm trusts its publisher.

        Raises what ``BackupReaders.laid_out`` raises.
        """
        with self._transactions.reading() as records:
            trusted = trusted_keys(records)
        return self._readers.laid_out(kit, trusted)
