"""Keys of backups: age's, in files that age's own programs read and write as well."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from corral.farm.domain.backup.backup import Recipient
from corral.farm.domain.backup.errors import (
    BackupKeyTakenError,
    BackupKeyUnusableError,
    PassphraseWrongError,
    RecipientInvalidError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from corral.farm.application.ports.backups import BackupKey

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_MOST_BYTES: Final = 1 << 16
_UNDER_PASSPHRASE: Final = b"age-encryption.org/v1\n-> scrypt "


def make_key(path: Path, passphrase: str | None) -> Recipient:
    """Write a new key to a file that is not there; give its recipient."""
    from pyrage import passphrase as by_passphrase  # noqa: PLC0415 - not for most commands
    from pyrage import x25519  # noqa: PLC0415

    identity = x25519.Identity.generate()
    recipient = Recipient(str(identity.to_public()))
    content = f"# recipient: {recipient}\n{identity}\n".encode()
    if passphrase is not None:
        content = by_passphrase.encrypt(content, passphrase)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise BackupKeyTakenError(path) from None
    except OSError as error:
        raise BackupKeyUnusableError(path, _reason(error)) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        with suppress(OSError):
            path.unlink()
        raise BackupKeyUnusableError(path, _reason(error)) from error
    return recipient


def is_under_passphrase(path: Path) -> bool:
    """Whether a key's file can be read only with a passphrase."""
    return _content(path).startswith(_UNDER_PASSPHRASE)


def identities(key: BackupKey) -> list[Any]:
    """Read the keys of a file; raises ``BackupKeyUnusableError``, ``PassphraseWrongError``."""
    import pyrage  # noqa: PLC0415 - not for most commands
    from pyrage import passphrase as by_passphrase  # noqa: PLC0415
    from pyrage import x25519  # noqa: PLC0415

    content = _content(key.file)
    if content.startswith(_UNDER_PASSPHRASE):
        if key.passphrase is None:
            reason = "it is kept under a passphrase, and none was given"
            raise BackupKeyUnusableError(key.file, reason)
        try:
            content = by_passphrase.decrypt(content, key.passphrase)
        except (pyrage.DecryptError, OSError):
            raise PassphraseWrongError(key.file) from None
    lines = content.decode("utf-8", "replace").splitlines()
    found = []
    for line in lines:
        if line.strip() and not line.startswith("#"):
            try:
                found.append(x25519.Identity.from_str(line.strip()))
            except pyrage.IdentityError:
                # What it says may quote the line, which may be a key all the same.
                reason = "it holds something else than keys"
                raise BackupKeyUnusableError(key.file, reason) from None
    if not found:
        reason = "it holds no key"
        raise BackupKeyUnusableError(key.file, reason)
    return found


def recipients(texts: Iterable[Recipient]) -> list[Any]:
    """Read recipients; raises ``RecipientInvalidError``."""
    import pyrage  # noqa: PLC0415 - not for most commands
    from pyrage import x25519  # noqa: PLC0415

    found = []
    for text in texts:
        if "AGE-SECRET-KEY" in text.upper():
            why = "it is the key itself; make another key, for this one is in your shell's history"
            raise RecipientInvalidError(why)
        try:
            found.append(x25519.Recipient.from_str(text))
        except pyrage.RecipientError as error:
            why = f"{text!r} ({error})"
            raise RecipientInvalidError(why) from None
    return found


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & _OTHERS:
                reason = f"others may read it: take that from them with 'chmod 600 {path}'"
                raise BackupKeyUnusableError(path, reason)
            return file.read(_MOST_BYTES)
    except OSError as error:
        raise BackupKeyUnusableError(path, _reason(error)) from error


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
