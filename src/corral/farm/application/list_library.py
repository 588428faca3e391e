"""What is in the library, and what could be."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from corral.farm.application.import_into_library import trusted_keys
from corral.farm.domain.errors import DomainError
from corral.farm.domain.library.errors import LibraryFolderUnsetError
from corral.farm.domain.library.item import ItemKind, ItemState
from corral.farm.domain.library.rules import AT_REST

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from corral.farm.application.ports.disk_files import DiskFiles
    from corral.farm.application.ports.library import LibraryFiles, SeenFile
    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.image.replica import Replica
    from corral.farm.domain.library.item import Item, ItemName
    from corral.farm.domain.library.kit import Publisher
    from corral.farm.domain.library.rules import LibraryRules


class FileKind(StrEnum):
    """What an import folder can be looked through for."""

    KIT = "kit"
    MEDIA = "media"
    IMAGE = "image"
    """A disk image; `corral image import` takes it."""


@dataclass(frozen=True)
class OfferedFile:
    """A file of the import folder, beside what was asked for."""

    path: Path
    size_bytes: int
    changed_at: datetime
    name: str = ""
    """What it would be called in the library."""
    why_not: str = ""
    """Why it is not offered; nothing if it is."""
    code: str = ""
    """The same, for programs."""

    @property
    def is_offered(self) -> bool:
        """Whether it can be imported now."""
        return not self.code


@dataclass(frozen=True)
class Folder:
    """The import folder, looked through for one kind."""

    rules: LibraryRules
    folder: Path
    kind: FileKind
    files: tuple[OfferedFile, ...]


@dataclass(frozen=True)
class ItemView:
    """Something in the library, with who signed it and where it is."""

    item: Item
    publisher: Publisher | None
    replicas: tuple[tuple[str, Replica], ...]
    """On which server it is, and how far."""


class LookIntoFolder:
    """Lists what could be imported, and says of each other file why not (S19, S22)."""

    def __init__(
        self,
        transactions: Transactions,
        library_files: LibraryFiles,
        disk_files: DiskFiles,
        clock: Clock,
    ) -> None:
        self._transactions = transactions
        self._files = library_files
        self._disk_files = disk_files
        self._clock = clock

    def __call__(self, kind: FileKind) -> Folder:
        """Look; raises ``LibraryFolderUnsetError``, ``LibraryFileUnusableError``."""
        with self._transactions.reading() as records:
            rules = records.library_rules.get()
            trusted = trusted_keys(records)
            known = {str(item.name): item for item in records.library_items.all()}
        if rules.folder is None:
            raise LibraryFolderUnsetError
        now = self._clock.now()
        files = tuple(
            self._judged(seen, kind, now, known) for seen in self._files.seen(rules.folder, trusted)
        )
        return Folder(rules, rules.folder, kind, files)

    def _judged(
        self, seen: SeenFile, kind: FileKind, now: datetime, known: Mapping[str, Item]
    ) -> OfferedFile:
        name = seen.kit.kit.name if seen.kit is not None else seen.path.name.lower()
        code, why = self._why_not(seen, kind, now)
        item = known.get(name)
        is_taken = item is not None and item.state is ItemState.AVAILABLE
        if not code and kind is not FileKind.IMAGE and is_taken:
            code, why = "library-item-taken", f"{name} is in the library already"
        return OfferedFile(seen.path, seen.size_bytes, seen.changed_at, name, why, code)

    def _why_not(self, seen: SeenFile, kind: FileKind, now: datetime) -> tuple[str, str]:
        found = _kind_of(seen)
        if seen.problem is not None and (found is None or found == kind):
            return seen.problem.code, seen.problem.message
        if kind is FileKind.KIT and found is kind:
            return "", ""
        if found is not None and found != kind:
            return "library-other-kind", f"it is a {found}, and no {kind}"
        age = now - seen.changed_at
        if age < AT_REST:
            seconds = max(0, int(age.total_seconds()))
            return "library-file-unfinished", f"it was written to {seconds} seconds ago"
        if kind is FileKind.IMAGE:
            try:
                self._disk_files.inspect(seen.path)
            except DomainError as error:
                return error.code, error.message
            return "", ""
        if found is None:
            return "library-other-kind", f"it does not begin as a {kind} does"
        return "", ""


def _kind_of(seen: SeenFile) -> FileKind | None:
    match seen.kind:
        case ItemKind.KIT:
            return FileKind.KIT
        case ItemKind.MEDIA:
            return FileKind.MEDIA
        case None:
            return None


class ListLibrary:
    """Gives what is in the library."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self) -> Sequence[ItemView]:
        """Give it in the order of names."""
        with self._transactions.reading() as records:
            return [_view(records, item) for item in records.library_items.all()]


class ShowLibraryItem:
    """Gives one thing of the library."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, name: ItemName) -> ItemView:
        """Give it; raises ``ItemUnknownError``."""
        with self._transactions.reading() as records:
            return _view(records, records.library_items.get(name))


def _view(records: Records, item: Item) -> ItemView:
    publishers = {one.fingerprint: one for one in records.publishers.all()}
    replicas = () if item.root is None else records.replicas.of_root(item.root)
    return ItemView(
        item,
        None if item.publisher is None else publishers.get(item.publisher),
        tuple((records.servers.with_id(one.server_id).name, one) for one in replicas),
    )
