"""Files for the library in memory: those that the memory chunk stores read, too."""

from __future__ import annotations

import io
from contextlib import contextmanager
from typing import TYPE_CHECKING

from corral.farm.application.ports.disk_files import RawFile
from corral.farm.application.ports.library import CheckedFile, KitLook, SeenFile
from corral.farm.domain.errors import DomainError
from corral.farm.domain.library.errors import (
    FileOtherKindError,
    FileUnfinishedError,
    KitDamagedError,
    KitUntrustedError,
    LibraryFileExistsError,
    LibraryFileUnusableError,
)
from corral.farm.domain.library.item import ItemKind
from corral.farm.domain.library.kit import KeyId, read_kit
from corral.wire import kit as wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
    from pathlib import Path

    from corral.farm.application.ports.farm_key import SignatureCheck
    from corral.farm.application.ports.sources import Clock
    from corral.farm.application.progress import Progress

_ISO = slice(0x8001, 0x8006)


class MemoryIncoming:
    """A file that comes piece by piece."""

    def __init__(self, path: Path, files: MutableMapping[Path, bytes]) -> None:
        self.path = path
        self._files = files
        self._came = bytearray()

    def write(self, piece: bytes) -> None:
        """Append."""
        self._came += piece

    def finish(self) -> None:
        """Show it."""
        if self.path in self._files:
            raise LibraryFileExistsError(self.path)
        self._files[self.path] = bytes(self._came)

    def abandon(self) -> None:
        """Forget it."""


class MemoryLibraryFiles:
    """Files by path, all of them written when the clock began."""

    def __init__(
        self, files: MutableMapping[Path, bytes], is_signed: SignatureCheck, clock: Clock
    ) -> None:
        self._files = files
        self._is_signed = is_signed
        self._began = clock.now()

    def seen(self, folder: Path, trusted: Mapping[KeyId, bytes]) -> Sequence[SeenFile]:
        """Look at those of a folder."""
        own = sorted(path for path in self._files if path.parent == folder)
        return [self._seen(path, trusted) for path in own if not path.name.startswith(".")]

    def _seen(self, path: Path, trusted: Mapping[KeyId, bytes]) -> SeenFile:
        size, kind = len(self._files[path]), self._kind(path)
        try:
            look = self.look(path, trusted) if kind is ItemKind.KIT else None
        except DomainError as problem:
            return SeenFile(path, size, self._began, kind, None, problem)
        problem_ = None if look is None else self._unlike(path, look)
        return SeenFile(path, size, self._began, kind, look, problem_)

    def receive(self, folder: Path, name: str, size_bytes: int) -> MemoryIncoming:
        """Begin to take a file; there is always room."""
        del size_bytes
        if folder / name in self._files:
            raise LibraryFileExistsError(folder / name)
        return MemoryIncoming(folder / name, self._files)

    def look(self, path: Path, trusted: Mapping[KeyId, bytes]) -> KitLook:
        """Read the envelope and the table."""
        content = self._content(path)
        if self._kind(path) is not ItemKind.KIT:
            raise FileOtherKindError(path, ItemKind.KIT.value, "it does not begin as a kit does")
        try:
            envelope = wire.read_envelope(io.BytesIO(content))
        except wire.KitFormatError as error:
            if "ends" in str(error):
                raise FileUnfinishedError(path, str(error)) from error
            raise KitDamagedError(path, str(error)) from error
        keys = {str(key): value for key, value in trusted.items()}
        signer = envelope.signer(keys, self._is_signed)
        try:
            table = wire.read_table(envelope.payload)
        except wire.KitFormatError as error:
            raise KitDamagedError(path, str(error)) from error
        return KitLook(
            read_kit(envelope.payload.decode()),
            tuple(KeyId(one.key_id) for one in envelope.signatures),
            None if signer is None else KeyId(signer),
            envelope.size + table.size,
        )

    @contextmanager
    def checked(
        self, path: Path, kind: ItemKind, trusted: Mapping[KeyId, bytes], progress: Progress
    ) -> Iterator[CheckedFile]:
        """Read all of it, and see that it is still the same at the end."""
        del progress
        content = self._content(path)
        if self._kind(path) is not kind:
            raise FileOtherKindError(path, kind.value, "it does not begin as one does")
        look = None
        if kind is ItemKind.KIT:
            look = self.look(path, trusted)
            problem = self._unlike(path, look)
            if problem is not None:
                raise problem
            file = io.BytesIO(content)
            try:
                wire.read_files(file, wire.read_table(wire.read_envelope(file).payload), _forget)
            except wire.KitFormatError as error:
                raise KitDamagedError(path, str(error)) from error
        yield CheckedFile(RawFile(path, len(content)), look)
        if self._files.get(path) != content:
            raise FileUnfinishedError(path, "it was written to while it was read")

    def _content(self, path: Path) -> bytes:
        try:
            return self._files[path]
        except KeyError:
            raise LibraryFileUnusableError(path, "no such file") from None

    def _kind(self, path: Path) -> ItemKind | None:
        content = self._content(path)
        if content.startswith(wire.MAGIC):
            return ItemKind.KIT
        return ItemKind.MEDIA if content[_ISO] == b"CD001" else None

    def _unlike(self, path: Path, look: KitLook) -> DomainError | None:
        size = len(self._content(path))
        if look.publisher is None:
            return KitUntrustedError(path, ", ".join(key[:16] for key in look.signed_by))
        if size < look.size_bytes:
            return FileUnfinishedError(path, f"{size} of {look.size_bytes} bytes are there")
        if size > look.size_bytes:
            return KitDamagedError(path, f"it has {size} bytes, and {look.size_bytes} were signed")
        return None


def _forget(_file: wire.KitFile) -> Callable[[bytes], object]:
    return lambda _piece: None
