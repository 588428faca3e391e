"""Snapshots, the farm's files and files of backups, in memory and without encryption."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from corral.farm.application.ports.backups import Member, SeenFile, WrittenBackup
from corral.farm.domain.backup.errors import (
    BackupDamagedError,
    BackupUnknownError,
    RecipientInvalidError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from corral.farm.application.ports.backups import BackupKey
    from corral.farm.application.ports.farm_key import FarmKey
    from corral.farm.application.progress import Progress
    from corral.farm.domain.backup.backup import BackupFacts, Recipient

SCHEMA: Final = "0001"


class MemorySnapshot:
    """The rows of one table."""

    schema: Final = SCHEMA
    readable_from: str | None = None
    rows: Mapping[str, int] = {"farm": 1}

    def members(self) -> Iterator[Member]:
        """Give the one piece."""
        yield Member("database/farm/000001.jsonl", b"head\nrow\n")


class MemorySnapshots:
    """Always the same one."""

    @contextmanager
    def taken(self) -> Iterator[MemorySnapshot]:
        """Hold it."""
        yield MemorySnapshot()


@dataclass
class MemoryFarmFiles:
    """Files by name."""

    files: dict[str, bytes] = field(default_factory=lambda: {"farm.key": b"key"})

    def members(self) -> Iterator[Member]:
        """Give each."""
        for name, content in sorted(self.files.items()):
            yield Member(f"farm/{name}", content)


@dataclass(frozen=True)
class MemoryBackup:
    """A backup that was written."""

    facts: BackupFacts
    pieces: tuple[Member, ...]

    @property
    def size_bytes(self) -> int:
        """Of all its pieces."""
        return sum(len(one.content) for one in self.pieces)

    def members(self) -> Iterator[Member]:
        """Give the pieces."""
        yield from self.pieces


@dataclass
class MemoryBackupFiles:
    """Backups by path; tests look at them, and take them away."""

    written: dict[Path, MemoryBackup] = field(default_factory=dict)
    damaged: set[Path] = field(default_factory=set)

    def check(self, recipients: Iterable[Recipient]) -> None:
        """Take whatever begins as a recipient does."""
        for one in recipients:
            if not one.startswith("age1"):
                raise RecipientInvalidError(repr(one))

    def write(  # noqa: PLR0913 - as the port has it
        self,
        folder: Path,
        facts: BackupFacts,
        members: Iterable[Member],
        *,
        recipients: Sequence[Recipient],
        key: FarmKey,
        progress: Progress,
    ) -> WrittenBackup:
        """Keep it."""
        del key, progress
        self.check(recipients)
        backup = MemoryBackup(facts, tuple(members))
        path = folder / facts.file_name
        self.written[path] = backup
        return WrittenBackup(path, backup.size_bytes)

    def seen(self, folder: Path) -> Sequence[SeenFile]:
        """Give those of a folder, oldest first."""
        found = (
            SeenFile(path, one.size_bytes, one.facts, self._problem(path))
            for path, one in self.written.items()
            if path.parent == folder
        )
        return sorted(found, key=lambda one: (one.facts and one.facts.taken_at, one.path))

    def _problem(self, path: Path) -> BackupDamagedError | None:
        return BackupDamagedError(path, "it was cut off") if path in self.damaged else None

    @contextmanager
    def opened(self, path: Path, key: BackupKey, progress: Progress) -> Iterator[MemoryBackup]:
        """Read one."""
        del key, progress
        if path not in self.written:
            raise BackupUnknownError(str(path))
        yield self.written[path]

    def remove(self, path: Path) -> None:
        """Take it away."""
        self.written.pop(path, None)
