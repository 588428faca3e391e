"""Make a backup: the database of one moment, the keys, and if wanted the chunks."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from corral.farm.application.chunk_peers import peers_of_all
from corral.farm.application.ports.backups import Member
from corral.farm.application.progress import Amounts
from corral.farm.application.roll_up_backups import roll_up
from corral.farm.domain.backup.backup import Backup, BackupFacts, BackupId, BackupRules
from corral.farm.domain.backup.errors import BackupUnsetError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from corral.farm.application.ports.backups import (
        BackupFiles,
        DatabaseSnapshot,
        DatabaseSnapshots,
        FarmFiles,
    )
    from corral.farm.application.ports.certificates import CertificateAuthority
    from corral.farm.application.ports.chunk_stores import ChunkStores
    from corral.farm.application.ports.farm_key import FarmKey
    from corral.farm.application.ports.records import Transactions
    from corral.farm.application.ports.sources import Clock, IdSource
    from corral.farm.application.progress import Progress
    from corral.farm.domain.backup.backup import Recipient
    from corral.farm.domain.image.root import RootHash

CHUNKS_FOLDER: Final = "chunks"
"""Beside the backups: a store of the farm, shared by all of them."""
ROWS: Final = "rows.json"
"""The member that says how many rows each table had."""


@dataclass(frozen=True)
class BackupWish:
    """What is to be another way than the farm's rules say, this time."""

    folder: Path | None = None
    recipients: tuple[Recipient, ...] = ()
    with_chunks: bool = False


@dataclass(frozen=True)
class CreatedBackup:
    """A backup, and what its roll-up took away."""

    backup: Backup
    rolled_up: tuple[Backup, ...] = ()
    copied_versions: int = 0


class CreateBackup:
    """Writes a backup while the farm goes on; cut off anywhere, it leaves nothing that looks whole.

    Chunks are copied before the database, so that the copy holds whatever the database names, and
    again after it for what was published in between.
    """

    def __init__(  # noqa: PLR0913 - one for each port
        self,
        *,
        transactions: Transactions,
        snapshots: DatabaseSnapshots,
        farm_files: FarmFiles,
        files: BackupFiles,
        stores: ChunkStores,
        key: FarmKey,
        authority: CertificateAuthority,
        ids: IdSource,
        clock: Clock,
        release: str,
        by: str,
    ) -> None:
        self._transactions = transactions
        self._snapshots = snapshots
        self._farm_files = farm_files
        self._files = files
        self._stores = stores
        self._key = key
        self._authority = authority
        self._ids = ids
        self._clock = clock
        self._release = release
        self._by = by

    def prepare(self, wish: BackupWish) -> BackupRules:
        """Give the rules as they are this time, refused where a backup could not begin.

        Raises ``BackupUnsetError``, ``RecipientInvalidError``.
        """
        with self._transactions.reading() as records:
            rules = _wished(records.backup_rules.get(), wish)
        _, recipients = _demand_complete(rules)
        self._files.check(recipients)
        return rules

    def __call__(self, wish: BackupWish, progress: Progress) -> CreatedBackup:
        """Give the backup; raises what ``prepare`` does, and ``BackupFolderUnusableError``."""
        rules = self.prepare(wish)
        folder, recipients = _demand_complete(rules)
        with self._transactions.reading() as records:
            farm = records.farm.get()
        copied: set[RootHash] = set()
        if rules.with_chunks:
            self._copy_chunks(folder, copied, progress)
        with self._snapshots.taken() as snapshot:
            facts = BackupFacts(
                id=BackupId(self._ids.new()),
                farm=farm.id,
                farm_name=farm.name,
                public_key=farm.public_key,
                taken_at=self._clock.now(),
                by=self._by,
                release=self._release,
                schema=snapshot.schema,
                has_chunks=rules.with_chunks,
                readable_from=snapshot.readable_from,
            )
            meter = _Meter(sum(snapshot.rows.values()))
            progress.watch(meter)
            written = self._files.write(
                folder,
                facts,
                self._members(snapshot, meter),
                recipients=recipients,
                key=self._key,
                progress=progress,
            )
        try:
            if rules.with_chunks:
                self._copy_chunks(folder, copied, progress)
            backup = Backup(
                id=facts.id,
                path=written.path,
                taken_at=facts.taken_at,
                size_bytes=written.size_bytes,
                release=facts.release,
                schema=facts.schema,
                by=facts.by,
                has_chunks=facts.has_chunks,
            )
            with self._transactions.writing() as records:
                records.backups.add(backup)
        except BaseException:
            self._files.remove(written.path)
            raise
        gone = roll_up(self._transactions, self._files, folder)
        return CreatedBackup(backup, gone, len(copied))

    def _members(self, snapshot: DatabaseSnapshot, meter: _Meter) -> Iterator[Member]:
        yield from self._farm_files.members()
        for member in snapshot.members():
            # The first line is the head of the piece.
            meter.note(len(member.content), member.content.count(b"\n") - 1)
            yield member
        yield Member(ROWS, json.dumps(dict(snapshot.rows), sort_keys=True).encode())

    def _copy_chunks(self, folder: Path, copied: set[RootHash], progress: Progress) -> None:
        with self._transactions.reading() as records:
            farm = records.farm.get()
            wanted = {one.root for one in records.versions.all() if one.is_published} - copied
            peers = peers_of_all(records, self._key, self._authority, self._clock.now())
        path = folder / CHUNKS_FOLDER
        self._stores.create(path, farm.id)
        store = self._stores.open(path, farm.id)
        for root in sorted(wanted, key=lambda one: one.hex):
            if not store.holds(root):
                store.fetch(root, peers, progress)
            copied.add(root)


def _demand_complete(rules: BackupRules) -> tuple[Path, tuple[Recipient, ...]]:
    """Give where backups go and for whom they are; raises ``BackupUnsetError``."""
    if rules.folder is None:
        what = "folder"
        raise BackupUnsetError(what)
    if not rules.recipients:
        what = "recipient"
        raise BackupUnsetError(what)
    return rules.folder, rules.recipients


def _wished(rules: BackupRules, wish: BackupWish) -> BackupRules:
    """Give the rules as they are this time."""
    return replace(
        rules,
        folder=wish.folder or rules.folder,
        recipients=wish.recipients or rules.recipients,
        with_chunks=wish.with_chunks or rules.with_chunks,
    )


class _Meter:
    """Counts what was written; the whole is guessed from the rows that are still to come."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._done_rows = 0
        self._done_bytes = 0

    def note(self, size: int, rows: int) -> None:
        self._done_bytes += size
        self._done_rows += rows

    def amounts(self) -> Amounts:
        if not self._done_rows:
            return Amounts()
        total = self._done_bytes * max(self._rows, self._done_rows) // self._done_rows
        return Amounts(total_bytes=total, done_bytes=self._done_bytes)

    def cancel(self) -> None:
        """Nothing works here by itself: whoever writes looks at the progress."""
