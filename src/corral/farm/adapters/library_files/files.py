"""The port ``LibraryFiles`` on the files of a machine."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from typing import IO, TYPE_CHECKING, Final

from corral.farm.adapters.library_files.incoming import IncomingPart
from corral.farm.application.ports.disk_files import RawFile
from corral.farm.application.ports.library import CheckedFile, KitLook, SeenFile
from corral.farm.application.progress import Amounts
from corral.farm.domain.errors import DomainError
from corral.farm.domain.image.errors import WorkCancelledError
from corral.farm.domain.library.errors import (
    FileOtherKindError,
    FileUnfinishedError,
    KitDamagedError,
    KitUntrustedError,
    LibraryFileUnusableError,
)
from corral.farm.domain.library.item import ItemKind
from corral.farm.domain.library.kit import KeyId, read_kit
from corral.wire import kit as wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from corral.farm.application.ports.farm_key import SignatureCheck
    from corral.farm.application.progress import Progress

_ISO_AT: Final = 0x8001
_ISO: Final = b"CD001"
_NEVER: Final = datetime.fromtimestamp(0, UTC)


class FolderLibraryFiles:
    """Looks at files where they lie."""

    def __init__(self, is_signed: SignatureCheck) -> None:
        self._is_signed = is_signed

    def seen(self, folder: Path, trusted: Mapping[KeyId, bytes]) -> Sequence[SeenFile]:
        """Look at the beginnings; what is hidden is left out."""
        try:
            paths = sorted(one for one in folder.iterdir() if not one.name.startswith("."))
        except OSError as error:
            raise _unusable(folder, error) from error
        return [found for path in paths if (found := self._seen(path, trusted)) is not None]

    def _seen(self, path: Path, trusted: Mapping[KeyId, bytes]) -> SeenFile | None:
        try:
            facts = path.lstat()
        except FileNotFoundError:
            return None
        except OSError as error:
            return SeenFile(path, 0, _NEVER, None, None, _unusable(path, error))
        size, changed_at = facts.st_size, datetime.fromtimestamp(facts.st_mtime, UTC)
        kind: ItemKind | None = None
        try:
            with _opened(path) as file:
                kind = _kind(file)
                look = self._look(path, file, trusted) if kind is ItemKind.KIT else None
        except DomainError as problem:
            return SeenFile(path, size, changed_at, kind, None, problem)
        return SeenFile(path, size, changed_at, kind, look, _unlike(path, size, look))

    def receive(self, folder: Path, name: str, size_bytes: int) -> IncomingPart:
        """Begin to take a file."""
        return IncomingPart(folder, name, size_bytes)

    def look(self, path: Path, trusted: Mapping[KeyId, bytes]) -> KitLook:
        """Read the envelope and the table."""
        with _opened(path) as file:
            return self._look(path, file, trusted)

    @contextmanager
    def checked(
        self, path: Path, kind: ItemKind, trusted: Mapping[KeyId, bytes], progress: Progress
    ) -> Iterator[CheckedFile]:
        """Hold the file open, and compare what the file system says of it before and after."""
        with _opened(path) as file:
            before = os.fstat(file.fileno())
            found = _kind(file)
            if found is not kind:
                raise _other_kind(path, kind, found)
            look = None
            if kind is ItemKind.KIT:
                look = self._look(path, file, trusted)
                problem = _unlike(path, before.st_size, look)
                if problem is not None:
                    raise problem
                _read_through(path, file, progress, before.st_size)
            _demand_unchanged(path, file, before)
            # The file that was read, whatever its name leads to meanwhile.
            own = path.__class__(f"/proc/self/fd/{file.fileno()}")
            yield CheckedFile(RawFile(own, before.st_size), look)
            _demand_unchanged(path, file, before)

    def _look(self, path: Path, file: IO[bytes], trusted: Mapping[KeyId, bytes]) -> KitLook:
        file.seek(0)
        try:
            envelope = wire.read_envelope(file)
        except wire.KitFormatError as error:
            raise _not_sound(path, file, error) from error
        keys = {str(key): value for key, value in trusted.items()}
        signer = envelope.signer(keys, self._is_signed)
        try:
            table = wire.read_table(envelope.payload)
            kit = read_kit(envelope.payload.decode())
        except (wire.KitFormatError, UnicodeDecodeError) as error:
            # A newer format is no damage: what is wrong with it is told by the strict reader.
            raise KitDamagedError(path, str(error)) from error
        return KitLook(
            kit=kit,
            signed_by=tuple(KeyId(one.key_id[:64]) for one in envelope.signatures),
            publisher=None if signer is None else KeyId(signer),
            size_bytes=envelope.size + table.size,
        )


@dataclass
class _Meter:
    """Counts what was read; asked from other threads."""

    total_bytes: int
    done_bytes: int = 0
    is_cancelled: bool = False

    def __post_init__(self) -> None:
        self._lock = Lock()

    def add(self, count: int) -> None:
        """Count more."""
        with self._lock:
            self.done_bytes += count

    def amounts(self) -> Amounts:
        """Say how far it is."""
        with self._lock:
            return Amounts(self.total_bytes, self.done_bytes)

    def cancel(self) -> None:
        """Have the reading end."""
        self.is_cancelled = True


def _read_through(path: Path, file: IO[bytes], progress: Progress, size: int) -> None:
    meter = _Meter(size)
    progress.watch(meter)

    def take(piece: bytes) -> None:
        meter.add(len(piece))
        if meter.is_cancelled:
            what = f"the check of {path}"
            raise WorkCancelledError(what)

    def begin(_file: wire.KitFile) -> Callable[[bytes], object]:
        return take

    file.seek(0)
    try:
        envelope = wire.read_envelope(file)
        wire.read_files(file, wire.read_table(envelope.payload), begin)
    except wire.KitFormatError as error:
        raise KitDamagedError(path, str(error)) from error
    except OSError as error:
        raise _unusable(path, error) from error


def _unlike(path: Path, size: int, look: KitLook | None) -> DomainError | None:
    """Say what a kit's size or signature is not as it should be."""
    if look is None:
        return None
    if look.publisher is None:
        return KitUntrustedError(path, ", ".join(key[:16] for key in look.signed_by))
    if size < look.size_bytes:
        return FileUnfinishedError(path, f"{size} of {look.size_bytes} bytes are there")
    if size > look.size_bytes:
        return KitDamagedError(path, f"it has {size} bytes, and {look.size_bytes} were signed")
    return None


def _kind(file: IO[bytes]) -> ItemKind | None:
    """Say what a file is by its beginning."""
    file.seek(0)
    if file.read(len(wire.MAGIC)) == wire.MAGIC:
        return ItemKind.KIT
    file.seek(_ISO_AT)
    return ItemKind.MEDIA if file.read(len(_ISO)) == _ISO else None


def _other_kind(path: Path, wanted: ItemKind, found: ItemKind | None) -> FileOtherKindError:
    why = f"it is a {found.value}" if found else "it begins neither as a kit nor as a disc image"
    return FileOtherKindError(path, wanted.value, why)


def _not_sound(path: Path, file: IO[bytes], error: wire.KitFormatError) -> DomainError:
    """Tell a file that is being copied from one that is damaged, and from one that is no kit."""
    if _kind(file) is not ItemKind.KIT:
        return FileOtherKindError(path, ItemKind.KIT.value, str(error))
    if os.fstat(file.fileno()).st_size < wire.HEAD.size + wire.ENVELOPE_BYTES and "ends" in str(
        error
    ):
        return FileUnfinishedError(path, str(error))
    return KitDamagedError(path, str(error))


def _demand_unchanged(path: Path, file: IO[bytes], before: os.stat_result) -> None:
    now = os.fstat(file.fileno())
    for one in ("st_size", "st_mtime_ns", "st_ctime_ns"):
        if getattr(now, one) != getattr(before, one):
            raise FileUnfinishedError(path, "it was written to while it was read")


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    try:
        # No link that leads elsewhere, and no pipe that would wait for a writer.
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW
        descriptor = os.open(path, flags)
    except OSError as error:
        raise _unusable(path, error) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        why = "it is no plain file"
        raise LibraryFileUnusableError(path, why)
    with os.fdopen(descriptor, "rb") as file:
        yield file


def _unusable(path: Path, error: OSError) -> LibraryFileUnusableError:
    return LibraryFileUnusableError(path, (error.strerror or str(error)).lower())
