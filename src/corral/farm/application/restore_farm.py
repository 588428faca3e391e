"""Restore a farm from a backup to a new place."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from corral.farm.application.create_backup import ROWS
from corral.farm.application.ports.backups import RESTORED, Restoration
from corral.farm.domain.access.audit import Entry
from corral.farm.domain.backup.backup import Backup
from corral.farm.domain.backup.errors import BackupUnsoundError
from corral.farm.domain.errors import DomainError
from corral.farm.domain.image.replica import ReplicaState
from corral.farm.domain.task.errors import TaskBeforeRestoreError
from corral.farm.domain.task.state import TaskState
from corral.farm.domain.task.task import Failure, LogLine, TaskKind
from corral.farm.domain.upgrade.schema import SeenSchema

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path
    from typing import Protocol

    from corral.farm.application.ports.backups import (
        BackupFiles,
        BackupKey,
        DatabaseBeingFilled,
        NewFarm,
        OpenedBackup,
    )
    from corral.farm.application.ports.records import Records
    from corral.farm.application.ports.sources import Clock
    from corral.farm.application.progress import Progress
    from corral.farm.domain.access.actor import Actor
    from corral.farm.domain.backup.backup import BackupFacts
    from corral.farm.domain.task.task import Task

    class Settle(Protocol):
        """Makes what was filled ready for the present."""

        def __call__(self, opened: OpenedBackup, records: Records, *, is_filled: bool) -> None:
            """Do it; ``is_filled`` if it was done when this was tried before."""
            ...


_FARM: Final = "farm/"
_DATABASE: Final = "database/"
_MICROSECONDS: Final = 1_000_000


@dataclass(frozen=True)
class Filled:
    """What a backup came to."""

    facts: BackupFacts
    rows: Mapping[str, int]
    files: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    """Tables and columns of a newer release, for which this one has no place."""


@dataclass(frozen=True)
class RestoredFarm:
    """A farm that is there again."""

    facts: BackupFacts
    rows: int
    files: int
    generation: int
    open_tasks: int = 0
    """Tasks that were under way when the backup was taken; each can be tried again."""
    took_seconds: float = 0.0
    left_out: tuple[str, ...] = ()
    """Tables and columns of a newer release, for which this one has no place."""


class RestoreFarm:
    """Puts a farm together in a new folder, beside its place, and moves it there when it is whole.

    Cut off anywhere, it leaves no farm; the same command begins again, or finishes what lacked
    only its folder.
    """

    def __init__(self, files: BackupFiles, new: NewFarm, clock: Clock, actor: Actor) -> None:
        self._files = files
        self._new = new
        self._clock = clock
        self._actor = actor

    def __call__(self, path: Path, key: BackupKey, progress: Progress) -> RestoredFarm:
        """Give what was restored.

        Raises ``RestoreTargetTakenError``, what ``BackupFiles.opened`` raises, and
        ``BackupUnsoundError``.
        """
        began = self._clock.now()
        settled = _Settled()

        def settle(opened: OpenedBackup, records: Records, *, is_filled: bool) -> None:
            if not is_filled:
                settled.tasks = _settle(records, path, opened, self._clock.now(), self._actor)
            settled.generation = records.farm.get().generation

        filled = fill(self._files, self._new, path, key, progress=progress, settle=settle)
        return RestoredFarm(
            facts=filled.facts,
            rows=sum(filled.rows.values()),
            files=len(filled.files),
            generation=settled.generation,
            open_tasks=settled.tasks,
            took_seconds=(self._clock.now() - began).total_seconds(),
            left_out=filled.left_out,
        )


@dataclass
class _Settled:
    generation: int = 0
    tasks: int = 0


def fill(  # noqa: PLR0913 - what from, where to, and how it is told
    files: BackupFiles,
    new: NewFarm,
    path: Path,
    key: BackupKey,
    *,
    progress: Progress,
    settle: Settle | None = None,
) -> Filled:
    """Fill a new place from a backup; it is a farm when the last byte was found right."""
    with files.opened(path, key, progress) as opened, new.folder.begun():
        for own in new.files:
            new.folder.put(own.name, own.content)
        facts = opened.facts
        seen = SeenSchema(facts.schema, facts.readable_from)
        with new.database.begin(facts.id, seen, path) as database:
            taken = _take(opened, new, database, path)
            records = database.records()
            try:
                farm = records.farm.get()
            except DomainError as error:
                raise BackupUnsoundError(path, error.message) from error
            if (farm.id, farm.public_key) != (facts.farm, facts.public_key):
                reason = "its database is of another farm than it says"
                raise BackupUnsoundError(path, reason)
            if settle is not None:
                settle(opened, records, is_filled=database.is_filled)
            database.finish()
        new.folder.publish()
    return Filled(facts, taken.rows, tuple(taken.files), tuple(sorted(database.left_out)))


@dataclass
class _Taken:
    rows: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    files: list[str] = field(default_factory=list)


def _take(opened: OpenedBackup, new: NewFarm, database: DatabaseBeingFilled, path: Path) -> _Taken:
    taken = _Taken()
    said: Mapping[str, int] | None = None
    for member in opened.members():
        if member.name.startswith(_DATABASE):
            database.put(member.content)
        elif member.name.startswith(_FARM):
            name = member.name.removeprefix(_FARM)
            new.folder.put(name, member.content)
            taken.files.append(name)
        elif member.name == ROWS:
            said = json.loads(member.content)
    taken.rows = dict(database.rows)
    if said is None or {table: rows for table, rows in said.items() if rows} != taken.rows:
        reason = "its tables have other rows than it says"
        raise BackupUnsoundError(path, reason)
    return taken


def _settle(records: Records, path: Path, opened: OpenedBackup, now: datetime, actor: Actor) -> int:
    """Make a farm of the past one of the present; give its generation and how many tasks ended.

    Servers may have been told more than the backup knows. The clock in millionths of a second is
    above any generation that could have been counted to since, so that they follow the restored
    farm; and what they say of the time before is not taken for an answer to it. It observes until
    somebody has accepted what differs.
    """
    facts, farm = opened.facts, records.farm.get()
    records.farm.raise_generation_to(int(now.timestamp() * _MICROSECONDS))
    records.observations.forget_all()
    failure = Failure.of(TaskBeforeRestoreError())
    active = [one for one in records.tasks.active() if one.state is not TaskState.PAUSED]
    of_it = [one for one in active if _makes_backup(one)]
    for task in of_it:
        made = "made the backup from which the farm was restored"
        records.tasks.keep(task.finished(made, now))
    under_way = [one for one in active if one not in of_it]
    for task in under_way:
        records.tasks.keep(task.failed(failure, now))
        records.tasks.note(task.number, LogLine(now, failure.message))
    for worker in records.workers.all():
        records.workers.remove(worker.name)
    _want_again(records)
    if all(one.id != facts.id for one in records.backups.all()):
        records.backups.add(
            Backup(
                id=facts.id,
                path=path.absolute(),
                taken_at=facts.taken_at,
                size_bytes=opened.size_bytes,
                release=facts.release,
                schema=facts.schema,
                by=facts.by,
                has_chunks=facts.has_chunks,
                # A farm has come of it, which is more than a verification shows.
                verified_at=now,
            )
        )
    records.restorations.put(Restoration(facts.id, facts.taken_at, now, farm.generation))
    said = {"backup": str(facts.id), "taken_at": facts.taken_at.isoformat(), "file": path.name}
    records.audit.note(Entry(now, actor, RESTORED, farm.name, None, said))
    return len(under_way)


def _want_again(records: Records) -> None:
    """Want the copies that were to go as too many.

    They may be the only ones by now: what the others had, the backup tells only of its own time.
    What is too many still, goes when the others have said so to the restored farm.
    """
    for replica in records.replicas.all():
        versions = records.versions.with_root(replica.root)
        if replica.is_removing and any(version.is_published for version in versions):
            wanted = replace(replica, state=ReplicaState.WANTED, completed_at=None)
            records.replicas.put(wanted)


def _makes_backup(task: Task) -> bool:
    """Whether it is the task that made the backup: only one of them runs at a time."""
    return task.request.kind is TaskKind.BACKUP and task.state is TaskState.RUNNING
