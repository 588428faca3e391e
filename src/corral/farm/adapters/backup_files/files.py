"""The port ``BackupFiles``: a head of fixed length, then an age file with a tar archive in it."""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import tarfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from threading import Thread
from typing import TYPE_CHECKING, Final

from corral.farm.adapters.backup_files import keys
from corral.farm.adapters.backup_files.archive import NotOursError, Packed, unpacked
from corral.farm.adapters.backup_files.head import HEAD_BYTES, Head, facts_member
from corral.farm.application.ports.backups import Member, SeenFile, WrittenBackup
from corral.farm.application.progress import Amounts
from corral.farm.domain.backup.backup import SUFFIX, BackupFacts, Recipient
from corral.farm.domain.backup.errors import (
    BackupDamagedError,
    BackupFolderUnusableError,
    BackupKeyWrongError,
    BackupUnknownError,
)
from corral.farm.domain.errors import DomainError
from corral.farm.domain.image.errors import WorkCancelledError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path
    from typing import IO, Any, TypeAlias

    from corral.farm.application.ports.backups import BackupKey
    from corral.farm.application.ports.farm_key import FarmKey, SignatureCheck
    from corral.farm.application.progress import Progress

    _Identities: TypeAlias = list[Any]

FACTS: Final = "backup.json"
"""The first member, which repeats what the head says."""
END: Final = "end.json"
"""The last one: where it is missing, the archive was cut off."""
_PARTIAL: Final = ".partial"
_PRIVATE: Final = 0o600


class AgeBackupFiles:
    """Backups as files of a folder, encrypted by age for its recipients."""

    def __init__(self, is_signed: SignatureCheck) -> None:
        self._is_signed = is_signed

    def check(self, recipients: Iterable[Recipient]) -> None:
        """Refuse what cannot be encrypted for."""
        keys.recipients(recipients)

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
        """Write beside, make durable, rename; a lock tells a writer's file from one left behind."""
        wanted = keys.recipients(recipients)
        path = folder / facts.file_name
        beside = folder / f".{facts.file_name}{_PARTIAL}"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _sweep(folder)
            descriptor = os.open(
                beside, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _PRIVATE
            )
        except OSError as error:
            raise _unusable(folder, error) from error
        try:
            with os.fdopen(descriptor, "w+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                self._fill(file, facts, members, recipients=wanted, key=key, progress=progress)
                size = file.tell()
                file.flush()
                os.fsync(file.fileno())
                beside.rename(path)
            _make_durable(folder)
        except OSError as error:
            raise _unusable(path, error) from error
        finally:
            with suppress(OSError):
                beside.unlink()
        return WrittenBackup(path, size)

    def _fill(  # noqa: PLR0913
        self,
        file: IO[bytes],
        facts: BackupFacts,
        members: Iterable[Member],
        *,
        recipients: _Identities,
        key: FarmKey,
        progress: Progress,
    ) -> None:
        import pyrage  # noqa: PLC0415 - not for most commands

        def look(_given: int) -> None:
            if progress.is_cancelled:
                what = "the backup"
                raise WorkCancelledError(what)

        def all_members() -> Iterator[Member]:
            yield Member(FACTS, facts_member(facts))
            count = 1
            for member in members:
                count += 1
                yield member
            yield Member(END, f'{{"members":{count}}}'.encode())

        file.write(bytes(HEAD_BYTES))
        packed = Packed(all_members(), int(facts.taken_at.timestamp()), look)
        sink = _Hashing(file)
        try:
            pyrage.encrypt_io(packed, sink, recipients)
        except (pyrage.EncryptError, OSError) as error:
            failure = packed.failure or sink.failure or error
            raise failure from error
        end = file.tell()
        head = Head(facts, sink.length, sink.digest.hexdigest())
        head = replace(head, signature=key.sign(head.signed_message()))
        file.seek(0)
        file.write(head.encoded())
        file.seek(end)

    def seen(self, folder: Path) -> Sequence[SeenFile]:
        """Look at the heads, oldest backup first and what cannot be read last."""
        try:
            paths = sorted(one for one in folder.iterdir() if one.name.endswith(SUFFIX))
        except OSError as error:
            raise _unusable(folder, error) from error
        found = [self._seen(path) for path in paths if not path.name.startswith(".")]
        return sorted(
            found,
            key=lambda one: (
                one.facts is None,
                0.0 if one.facts is None else one.facts.taken_at.timestamp(),
            ),
        )

    def _seen(self, path: Path) -> SeenFile:
        facts = None
        try:
            with _opened(path) as file:
                size = os.fstat(file.fileno()).st_size
                head = Head.decoded(path, file.read(HEAD_BYTES))
                facts = head.facts
                self._check_head(path, head, size)
        except DomainError as error:
            return SeenFile(path, path.stat().st_size if path.exists() else 0, facts, error)
        return SeenFile(path, size, facts)

    def _check_head(self, path: Path, head: Head, size: int) -> None:
        whole = HEAD_BYTES + head.payload_bytes
        if size < whole:
            reason = f"{whole - size} bytes of it are missing"
            raise BackupDamagedError(path, reason)
        if size > whole:
            reason = f"something follows it that does not belong to it, {size - whole} bytes"
            raise BackupDamagedError(path, reason)
        if not self._is_signed(head.facts.public_key, head.signed_message(), head.signature):
            reason = "the farm that it names has not signed it"
            raise BackupDamagedError(path, reason)

    @contextmanager
    def opened(self, path: Path, key: BackupKey, progress: Progress) -> Iterator[OpenedFile]:
        """Read one; decrypted bytes go from a thread through a pipe, and never to a disk."""
        with _opened(path) as file:
            size = os.fstat(file.fileno()).st_size
            head = Head.decoded(path, file.read(HEAD_BYTES))
            self._check_head(path, head, size)
            identities = keys.identities(key)
            reading, writing = os.pipe()
            source = _HashedReader(file, size)
            progress.watch(source)
            opener = _Opener(path, head, source, writing, identities)
            with os.fdopen(reading, "rb") as stream:
                opener.start()
                try:
                    yield OpenedFile(path, head, stream, opener, progress)
                finally:
                    # Whoever stops early takes the pipe away from under the thread, which ends it.
                    stream.close()
                    opener.join()

    def remove(self, path: Path) -> None:
        """Take it away, durably."""
        try:
            path.unlink(missing_ok=True)
            if path.parent.is_dir():
                _make_durable(path.parent)
        except OSError as error:
            raise _unusable(path, error) from error


class OpenedFile:
    """A backup that is being read."""

    def __init__(
        self, path: Path, head: Head, stream: IO[bytes], opener: _Opener, progress: Progress
    ) -> None:
        self._path = path
        self._head = head
        self._stream = stream
        self._opener = opener
        self._progress = progress

    @property
    def facts(self) -> BackupFacts:
        """What it says of itself."""
        return self._head.facts

    @property
    def size_bytes(self) -> int:
        """Of the file."""
        return HEAD_BYTES + self._head.payload_bytes

    def members(self) -> Iterator[Member]:
        """Give the members between the first and the last, which are the format's own."""
        count = 0
        last = Member("", b"")
        try:
            for member in unpacked(self._stream):
                if self._progress.is_cancelled:
                    what = f"the reading of {self._path}"
                    raise WorkCancelledError(what)
                if count == 0 and member != Member(FACTS, facts_member(self.facts)):
                    reason = "its head is not the one that it was written with"
                    raise BackupDamagedError(self._path, reason)
                if count > 1:
                    yield last
                last = member
                count += 1
        except (tarfile.TarError, NotOursError, EOFError):
            self._opener.check()
            reason = "what was encrypted is no archive of a farm"
            raise BackupDamagedError(self._path, reason) from None
        # The end of the archive is not that of the file: whatever follows is read, to be checked.
        while self._stream.read(1 << 16):
            pass
        self._opener.check()
        if last != Member(END, f'{{"members":{count - 1}}}'.encode()):
            reason = "pieces of it are missing"
            raise BackupDamagedError(self._path, reason)


class _Opener(Thread):
    """Decrypts into a pipe."""

    def __init__(
        self, path: Path, head: Head, source: _HashedReader, pipe: int, identities: _Identities
    ) -> None:
        super().__init__(name="decryption", daemon=True)
        self._path = path
        self._head = head
        self._source = source
        self._pipe = pipe
        self._identities = identities
        self._failure: DomainError | None = None

    def run(self) -> None:
        import pyrage  # noqa: PLC0415 - not for most commands

        source = self._source
        sink = os.fdopen(self._pipe, "wb")
        try:
            pyrage.decrypt_io(source, sink, self._identities)
            sink.flush()
        except pyrage.DecryptError as error:
            self._failure = self._explained(str(error))
        except OSError as error:
            if source.failure is not None:
                self._failure = _unusable(self._path, source.failure)
            elif not isinstance(error, BrokenPipeError):
                self._failure = self._explained(str(error))
        else:
            if source.digest.hexdigest() != self._head.payload_sha256:
                reason = "its bytes are not those that were written"
                self._failure = BackupDamagedError(self._path, reason)
        finally:
            with suppress(OSError):
                sink.close()

    def check(self) -> None:
        """Wait until it is through, and raise what it met."""
        self.join()
        if self._failure is not None:
            raise self._failure

    def _explained(self, said: str) -> DomainError:
        if said == "No matching keys found":
            return BackupKeyWrongError(self._path)
        reason = "bytes of it were changed since it was written"
        return BackupDamagedError(self._path, reason)


class _Hashing(io.RawIOBase):
    """A stream to write that keeps count."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = hashlib.sha256()
        self.length = 0
        self.failure: OSError | None = None

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override] # as the encryption calls it
        try:
            self._file.write(data)
        except OSError as error:
            self.failure = error
            raise
        self.digest.update(data)
        self.length += len(data)
        return len(data)


@dataclass
class _HashedReader:
    """A file to read that remembers what it gave."""

    file: IO[bytes]
    size_bytes: int

    def __post_init__(self) -> None:
        self.digest = hashlib.sha256()
        self.failure: OSError | None = None
        self._done_bytes = HEAD_BYTES

    def amounts(self) -> Amounts:
        """Say how far the reading is."""
        return Amounts(total_bytes=self.size_bytes, done_bytes=self._done_bytes)

    def cancel(self) -> None:
        """Nothing works here by itself: whoever takes the members looks at the progress."""

    def read(self, size: int = -1) -> bytes:
        try:
            data = self.file.read(size)
        except OSError as error:
            self.failure = error
            raise
        self.digest.update(data)
        self._done_bytes += len(data)
        return data


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    try:
        file = path.open("rb")
    except (FileNotFoundError, NotADirectoryError):
        raise BackupUnknownError(str(path)) from None
    except OSError as error:
        raise _unusable(path, error) from error
    with file:
        yield file


def _sweep(folder: Path) -> None:
    """Take away what writers left that were cut off; their locks went with them."""
    for left in folder.glob(f".*{SUFFIX}{_PARTIAL}"):
        with suppress(OSError):
            descriptor = os.open(left, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                left.unlink()
            finally:
                os.close(descriptor)


def _make_durable(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unusable(path: Path, error: OSError) -> BackupFolderUnusableError:
    return BackupFolderUnusableError(path, (error.strerror or str(error)).lower())
