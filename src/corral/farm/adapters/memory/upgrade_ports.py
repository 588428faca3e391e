"""What carries an upgrade out beside the records, in memory."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from corral.farm.domain.backup.errors import BackupUnreadError
from corral.farm.domain.library.errors import KitUntrustedError
from corral.farm.domain.library.release import Component
from corral.farm.domain.upgrade.errors import ReleaseProgramError, UpgradeKitInvalidError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from corral.farm.adapters.memory.schema import MemoryDatabaseSchema
    from corral.farm.application.ports.library import LibraryFiles
    from corral.farm.application.ports.upgrades import CanaryDisk
    from corral.farm.domain.estate.address import Address
    from corral.farm.domain.library.kit import KeyId
    from corral.farm.domain.library.release import Release
    from corral.farm.domain.upgrade.schema import ReleaseSchema


@dataclass
class MemoryPrograms:
    """Releases that lie on this machine, and the schema as each of them knows it."""

    schema: MemoryDatabaseSchema
    known: dict[str, ReleaseSchema] = field(default_factory=dict)

    def has(self, release: Release) -> bool:
        """Whether it lies here."""
        return str(release) in self.known

    def expand(self, release: Release) -> None:
        """Go to its step; older releases still work there."""
        own = self._own(release, "expand")
        now = self.schema.seen
        for step in own.to_expand(now.revision or "0000"):
            self.schema.seen = replace(self.schema.seen, revision=step.revision)

    def contract(self, release: Release) -> None:
        """Go to its last step, which closes the database to those who do not know it."""
        own = self._own(release, "contract")
        if own.to_contract(self.schema.seen.revision or "0000"):
            self.schema.seen = replace(self.schema.seen, revision=own.head, readable_from=own.head)

    def script(self, release: Release, first: str, last: str, *, is_embedded: bool) -> str:
        """Name the steps."""
        del is_embedded
        own = self._own(release, "script")
        return "\n".join(step.what for step in own.steps if first < step.revision <= last)

    def _own(self, release: Release, what: str) -> ReleaseSchema:
        own = self.known.get(str(release))
        if own is None:
            raise ReleaseProgramError(release, what, "it does not lie on this machine")
        return own


@dataclass
class MemoryReader:
    """The programs of a kit, which can read what they are not said to fail at."""

    release: str
    problem: str = ""

    def read(self, farm: Path) -> None:
        """Fail if it was said to."""
        del farm
        if self.problem:
            raise BackupUnreadError(self.release, self.problem)


@dataclass
class MemoryBackupReaders:
    """Lays nothing out."""

    files: LibraryFiles
    problem: str = ""
    """What keeps every release from reading."""

    @contextmanager
    def laid_out(self, kit: Path, trusted: Mapping[KeyId, bytes]) -> Iterator[MemoryReader]:
        """Give the programs of a kit that somebody trusted has signed."""
        look = self.files.look(kit, trusted)
        if look.publisher is None:
            raise KitUntrustedError(kit, ", ".join(look.signed_by))
        manifest = look.kit.manifest
        if manifest.component is not Component.FARM:
            raise UpgradeKitInvalidError(str(kit), manifest.component.value)
        yield MemoryReader(str(manifest.release), self.problem)


@dataclass
class MemoryReach:
    """A network in which everybody answers who is not said to be silent."""

    silent: set[Address] = field(default_factory=set)
    tried: list[Address] = field(default_factory=list)

    def unanswered(self, addresses: Collection[Address]) -> Mapping[Address, str]:
        """Note what was tried."""
        self.tried += addresses
        return {one: "connection refused" for one in addresses if one in self.silent}


@dataclass
class MemoryCanary:
    """A client that believes what it is told."""

    is_here: bool = True
    problems: dict[str, str] = field(default_factory=dict)
    """By server: what is wrong with what it gives."""
    read_through: list[str] = field(default_factory=list)

    def read(self, disk: CanaryDisk) -> str:
        """Note it, and say what is wrong there."""
        self.read_through.append(disk.server)
        return self.problems.get(disk.server, "")
