"""Backups: what the farm remembers of them, and where they are read from and written to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime
    from pathlib import Path
    from typing import TypeAlias

    from corral.farm.application.ports.farm_key import FarmKey
    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.progress import Progress
    from corral.farm.domain.backup.backup import (
        Backup,
        BackupFacts,
        BackupId,
        BackupRules,
        Recipient,
    )
    from corral.farm.domain.backup.observation import Observation
    from corral.farm.domain.errors import DomainError
    from corral.farm.domain.estate.server import ServerId
    from corral.farm.domain.library.kit import KeyId
    from corral.farm.domain.upgrade.schema import SeenSchema

    Counts: TypeAlias = Mapping[str, int]


class Backups(Protocol):
    """The backups that the farm has made and not rolled up, oldest first."""

    def add(self, backup: Backup) -> None:
        """Remember one."""
        ...

    def all(self) -> Sequence[Backup]:
        """Give all."""
        ...

    def with_id(self, backup: BackupId) -> Backup:
        """Give one; raises ``BackupUnknownError``."""
        ...

    def set_verified(self, backup: BackupId, at: datetime, read_by: str = "") -> None:
        """Say that one was restored to a scratch place and found sound.

        ``read_by``: the release that read it there; without one it is left as it was.
        """
        ...

    def remove(self, backup: BackupId) -> None:
        """Forget one."""
        ...


class BackupRulesRecord(Protocol):
    """Where backups go, for whom they are encrypted, and how many are kept."""

    def get(self) -> BackupRules:
        """Give the rules."""
        ...

    def change(self, seen: BackupRules, after: BackupRules) -> None:
        """Replace them."""
        ...


RESTORED: Final = "farm.restore"
"""What the audit log calls it; its last entry, for as long as nobody has changed anything since."""


@dataclass(frozen=True)
class Restoration:
    """That this farm was restored, and from what."""

    backup: BackupId
    taken_at: datetime
    restored_at: datetime
    generation: int = 0
    """The farm's, as the backup has it."""
    accepted_at: datetime | None = None
    """When somebody had seen what differs; until then the farm observes."""
    accepted_by: str = ""
    because: str = ""


class Restorations(Protocol):
    """At most one: the last."""

    def find(self) -> Restoration | None:
        """Give it; none of a farm that never was restored."""
        ...

    def put(self, restoration: Restoration) -> None:
        """Remember it instead of the one before."""
        ...


class Observations(Protocol):
    """What servers said since the last restoration, in the order of their ids."""

    def find(self, server_id: ServerId) -> Observation | None:
        """Give what one server said; none of one that was not heard of."""
        ...

    def all(self) -> Sequence[Observation]:
        """Give all."""
        ...

    def put(self, observation: Observation) -> None:
        """Remember it instead of what the server said before."""
        ...

    def forget_all(self) -> None:
        """Forget what was said of an earlier restoration."""
        ...


@dataclass(frozen=True)
class Member:
    """A piece of a backup, small enough for memory."""

    name: str
    content: bytes


class DatabaseSnapshot(Protocol):
    """The records of one moment, whatever is written meanwhile."""

    @property
    def schema(self) -> str:
        """The revision of the database's schema."""
        ...

    @property
    def readable_from(self) -> str | None:
        """The oldest head revision of code that still works on it."""
        ...

    @property
    def rows(self) -> Counts:
        """How many rows each table has."""
        ...

    def members(self) -> Iterator[Member]:
        """Give them in pieces, in an order in which they can be restored."""
        ...


class DatabaseSnapshots(Protocol):
    """Takes snapshots of the farm's database."""

    def taken(self) -> AbstractContextManager[DatabaseSnapshot]:
        """Hold one for the length of the block."""
        ...


class FarmFiles(Protocol):
    """The files of the farm that are not in its database: keys, and what hands secrets over."""

    def members(self) -> Iterator[Member]:
        """Give each of them."""
        ...


@dataclass(frozen=True)
class WrittenBackup:
    """A backup in its place, safe from a power cut."""

    path: Path
    size_bytes: int


@dataclass(frozen=True)
class SeenFile:
    """A file of a folder that is called like a backup."""

    path: Path
    size_bytes: int
    facts: BackupFacts | None
    problem: DomainError | None = None
    """Why it is of no use, as far as that can be seen without its key."""


@dataclass(frozen=True)
class BackupKey:
    """Where the key is that opens backups, and what it is kept under."""

    file: Path
    passphrase: str | None = field(default=None, repr=False)


class OpenedBackup(Protocol):
    """A backup that is being read, from its beginning to its end."""

    @property
    def size_bytes(self) -> int:
        """Of the file."""
        ...

    @property
    def facts(self) -> BackupFacts:
        """What it says of itself."""
        ...

    def members(self) -> Iterator[Member]:
        """Give its pieces.

        Only when the last one was given is it sure that none is missing: raises
        ``BackupDamagedError`` otherwise.
        """
        ...


class BackupFiles(Protocol):
    """Files of backups. Any method may raise ``BackupFolderUnusableError``."""

    def write(  # noqa: PLR0913 - what, where to, for whom and by whom
        self,
        folder: Path,
        facts: BackupFacts,
        members: Iterable[Member],
        *,
        recipients: Sequence[Recipient],
        key: FarmKey,
        progress: Progress,
    ) -> WrittenBackup:
        """Write one: in its place when it is whole, and nothing of it there before.

        Raises ``RecipientInvalidError``.
        """
        ...

    def check(self, recipients: Iterable[Recipient]) -> None:
        """Raise ``RecipientInvalidError`` unless all of them can be written for."""
        ...

    def seen(self, folder: Path) -> Sequence[SeenFile]:
        """Look at the backups of a folder, without their keys."""
        ...

    def opened(
        self, path: Path, key: BackupKey, progress: Progress
    ) -> AbstractContextManager[OpenedBackup]:
        """Read one.

        Raises ``BackupUnknownError``, ``BackupDamagedError``, ``BackupNewerError``,
        ``BackupKeyWrongError``, ``BackupKeyUnusableError``, ``PassphraseWrongError``.
        """
        ...

    def remove(self, path: Path) -> None:
        """Take one away; quietly done if it is not there."""
        ...


class DatabaseBeingFilled(Protocol):
    """A database that nobody can open yet."""

    @property
    def is_filled(self) -> bool:
        """Whether an earlier try from the same backup got this far; then nothing is taken again."""
        ...

    @property
    def rows(self) -> Counts:
        """How many rows were put into each table."""
        ...

    @property
    def left_out(self) -> Collection[str]:
        """Tables, and columns as ``TABLE.COLUMN``, of a newer release that had no place in it."""
        ...

    def put(self, content: bytes) -> None:
        """Take a piece of a table, as ``DatabaseSnapshot`` gave it."""
        ...

    def records(self) -> Records:
        """Give the records, brought to the schema that this release needs; ends the putting."""
        ...

    def finish(self) -> None:
        """Keep everything at the end of the block."""
        ...


class NewDatabase(Protocol):
    """An empty database."""

    def begin(
        self, backup: BackupId, seen: SeenSchema, file: Path
    ) -> AbstractContextManager[DatabaseBeingFilled]:
        """Fill it; what is not finished is not kept.

        Raises ``RestoreTargetTakenError``, ``BackupNewerError``.
        """
        ...


class NewFolder(Protocol):
    """A folder of a farm that is made beside its place and moved there as a whole."""

    def begun(self) -> AbstractContextManager[None]:
        """Make it; what was not published is gone at the end.

        Raises ``RestoreTargetTakenError``, ``BackupFolderUnusableError``.
        """
        ...

    def put(self, name: str, content: bytes) -> None:
        """Keep a file, readable by its owner only."""
        ...

    def publish(self) -> None:
        """Move it to its place."""
        ...


@dataclass(frozen=True)
class NewFarm:
    """A place for a farm."""

    folder: NewFolder
    database: NewDatabase
    files: Sequence[Member]
    """What the place itself needs in the folder before anything else."""
    transactions: Transactions
    """The records, once it is a farm."""
    key: FarmKey
    """Its key, once it is a farm."""
    home: Path
    """Its folder, once it is a farm."""


class BackupReader(Protocol):
    """The programs of another release than this one, for as long as they are laid out."""

    @property
    def release(self) -> str:
        """Which."""
        ...

    def read(self, farm: Path) -> None:
        """Expand a scratch farm as the release would, and have it read all of it.

        Raises ``BackupUnreadError``.
        """
        ...


class BackupReaders(Protocol):
    """Lays kits out in a scratch place."""

    def laid_out(
        self, kit: Path, trusted: Mapping[KeyId, bytes]
    ) -> AbstractContextManager[BackupReader]:
        """Lay a kit of the farm out for the length of the block.

        Raises ``KitUntrustedError``, ``KitDamagedError``, ``UpgradeKitInvalidError``, and
        ``LibraryFileUnusableError``.
        """
        ...
