"""The library: what the farm remembers of it, and the files that it is filled from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime
    from pathlib import Path

    from corral.farm.application.ports.disk_files import RawFile
    from corral.farm.application.progress import Progress
    from corral.farm.domain.errors import DomainError
    from corral.farm.domain.library.item import Item, ItemId, ItemKind, ItemName
    from corral.farm.domain.library.kit import (
        KeyId,
        Kit,
        Publisher,
        PublisherId,
        PublisherName,
    )
    from corral.farm.domain.library.rules import LibraryRules


class LibraryItems(Protocol):
    """What is in the library, in the order of names."""

    def add(self, item: Item) -> None:
        """Add one; raises ``ItemTakenError``."""
        ...

    def get(self, name: ItemName) -> Item:
        """Give the one of that name; raises ``ItemUnknownError``."""
        ...

    def find(self, name: ItemName) -> Item | None:
        """Give the one of that name, if there is one."""
        ...

    def all(self) -> Sequence[Item]:
        """Give all of them."""
        ...

    def change(self, seen: Item, after: Item) -> Item:
        """Put ``after`` in the place of ``seen``, and give it with its new revision.

        Raises ``ItemChangedError`` if it was changed or removed since it was seen.
        """
        ...

    def remove(self, item_id: ItemId) -> None:
        """Forget it; quietly done if it is gone."""
        ...

    def with_id(self, item_id: ItemId) -> Item:
        """Give the one with that id; raises ``ItemUnknownError``."""
        ...


class Publishers(Protocol):
    """Whose kits the farm believes, in the order of names."""

    def add(self, publisher: Publisher) -> None:
        """Add one; raises ``PublisherTakenError``."""
        ...

    def get(self, name: PublisherName) -> Publisher:
        """Give the one of that name; raises ``PublisherUnknownError``."""
        ...

    def all(self) -> Sequence[Publisher]:
        """Give all of them."""
        ...

    def remove(self, publisher_id: PublisherId) -> None:
        """Forget it; quietly done if it is gone."""
        ...

    def with_id(self, publisher_id: PublisherId) -> Publisher:
        """Give the one with that id; raises ``PublisherUnknownError``."""
        ...


class LibraryRulesRecord(Protocol):
    """Where files are imported from."""

    def get(self) -> LibraryRules:
        """Give the rules."""
        ...

    def change(self, seen: LibraryRules, after: LibraryRules) -> None:
        """Replace them; raises ``LibraryRulesChangedError``."""
        ...


@dataclass(frozen=True)
class KitLook:
    """What can be said of a kit's file from its beginning, none of its files read."""

    kit: Kit
    signed_by: tuple[KeyId, ...]
    """By their own word; believed only once a key was tried."""
    publisher: KeyId | None
    """The first of the trusted keys whose signature is good."""
    size_bytes: int
    """Of the whole file, as it should be."""


@dataclass(frozen=True)
class SeenFile:
    """A file of the import folder, as far as its beginning and its size tell."""

    path: Path
    size_bytes: int
    changed_at: datetime
    kind: ItemKind | None
    """What it is; none if it is neither a kit nor a disc image."""
    kit: KitLook | None = None
    problem: DomainError | None = None
    """Why it is no use, as far as could be seen."""


@dataclass(frozen=True)
class CheckedFile:
    """A file that was read to its end and is what it should be."""

    raw: RawFile
    kit: KitLook | None


class IncomingFile(Protocol):
    """A file that comes into a folder piece by piece, and is there only once it is whole.

    Any method may raise ``LibraryFileUnusableError`` and ``LibraryFolderFullError``.
    """

    @property
    def path(self) -> Path:
        """Where it will be."""
        ...

    def write(self, piece: bytes) -> None:
        """Append."""
        ...

    def finish(self) -> None:
        """Show it; raises ``LibraryFileExistsError`` if there is one of that name by now."""
        ...

    def abandon(self) -> None:
        """Leave nothing of it; quietly done after it was finished."""
        ...


class LibraryFiles(Protocol):
    """Files that may come into the library.

    Any method may raise ``LibraryFileUnusableError``.
    """

    def receive(self, folder: Path, name: str, size_bytes: int) -> IncomingFile:
        """Begin to take a file; raises ``LibraryFileExistsError``, ``LibraryFolderFullError``."""
        ...

    def seen(self, folder: Path, trusted: Mapping[KeyId, bytes]) -> Sequence[SeenFile]:
        """Look at the files of a folder, in the order of names."""
        ...

    def look(self, path: Path, trusted: Mapping[KeyId, bytes]) -> KitLook:
        """Read the beginning of a kit; not whether somebody trusted has signed it.

        Raises ``FileOtherKindError``, ``FileUnfinishedError``, ``KitDamagedError``,
        ``ManifestInvalidError``.
        """
        ...

    def checked(
        self, path: Path, kind: ItemKind, trusted: Mapping[KeyId, bytes], progress: Progress
    ) -> AbstractContextManager[CheckedFile]:
        """Read a whole file and see that it is what it should be.

        It must not change within the block: raises ``FileUnfinishedError`` at its end if it did.
        Raises what ``look`` raises, ``KitUntrustedError``, and ``WorkCancelledError``.
        """
        ...


class KitWorkshop(Protocol):
    """Where kits are made. Needs no farm."""

    def make_key(self, path: Path) -> bytes:
        """Make a publisher's key pair in a file of its own; give the public key.

        Raises ``KitKeyUnusableError``, also if there is something already.
        """
        ...

    def build(
        self, manifest: str, sources: Sequence[Path], target: Path, key: Path, progress: Progress
    ) -> Kit:
        """Build a kit of files and of folders without folders in them.

        ``manifest`` is a release manifest without its digest. Raises ``KitSourceInvalidError``,
        ``ManifestInvalidError``, ``KitExistsError``, ``KitKeyUnusableError``.
        """
        ...
