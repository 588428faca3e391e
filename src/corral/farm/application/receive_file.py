"""Take a file that somebody uploads into the import folder."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from corral.farm.domain.access.audit import Entry
from corral.farm.domain.library.errors import (
    FileUnfinishedError,
    LibraryFolderUnsetError,
    UploadNameInvalidError,
    UploadTooLongError,
)

if TYPE_CHECKING:
    from pathlib import Path

    from corral.farm.application.ports.library import IncomingFile, LibraryFiles
    from corral.farm.application.ports.records import Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.access.actor import Actor

# A name that is one file of one folder everywhere, and neither hidden nor an option of a command.
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,199}")
_UPLOADED: Final = "library.upload"


class Upload:
    """A file that is coming; nobody sees it in the folder until it has come in full."""

    def __init__(self, receiver: ReceiveFile, file: IncomingFile, size_bytes: int) -> None:
        self._receiver = receiver
        self._file = file
        self._size = size_bytes
        self._came = 0

    def write(self, piece: bytes) -> None:
        """Take the next bytes; raises ``UploadTooLongError``, ``LibraryFolderFullError``."""
        self._came += len(piece)
        if self._came > self._size:
            raise UploadTooLongError(self._size)
        self._file.write(piece)

    def finish(self) -> Path:
        """Put it into the folder; give its path.

        Raises ``FileUnfinishedError`` if less came than was said, ``LibraryFileExistsError`` if
        there is one of that name by now.
        """
        if self._came < self._size:
            raise FileUnfinishedError(
                self._file.path, f"{self._came} of {self._size} bytes have come"
            )
        self._file.finish()
        self._receiver.note(self._file.path, self._size)
        return self._file.path

    def abandon(self) -> None:
        """Leave nothing of it; quietly done after it was finished."""
        self._file.abandon()


class ReceiveFile:
    """Begins uploads. What has come is imported like any other file of the folder."""

    def __init__(
        self, transactions: Transactions, library_files: LibraryFiles, actor: Actor, clock: Clock
    ) -> None:
        self._transactions = transactions
        self._files = library_files
        self._actor = actor
        self._clock = clock

    def __call__(self, name: str, size_bytes: int) -> Upload:
        """Begin one.

        Raises ``LibraryFolderUnsetError``, ``UploadNameInvalidError``, ``LibraryFileExistsError``,
        ``LibraryFolderFullError`` if there is not room for so many bytes.
        """
        if not _NAME.fullmatch(name):
            raise UploadNameInvalidError(name)
        with self._transactions.reading() as records:
            folder = records.library_rules.get().folder
        if folder is None:
            raise LibraryFolderUnsetError
        return Upload(self, self._files.receive(folder, name, size_bytes), size_bytes)

    def note(self, path: Path, size_bytes: int) -> None:
        """Say in the audit log what has come."""
        entry = Entry(self._clock.now(), self._actor, _UPLOADED, f"{path.name}, {size_bytes} bytes")
        with self._transactions.writing() as records:
            records.audit.note(entry)
