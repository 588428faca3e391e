"""Passwords hashed quickly: for farms in memory, which keep nobody's."""

from __future__ import annotations

import hashlib
import hmac
from itertools import count
from typing import TYPE_CHECKING

from corral.farm.domain.access.password import PasswordDigest

if TYPE_CHECKING:
    from corral.farm.domain.access.password import Password


class MemoryPasswords:
    """SHA-256 with a number for salt."""

    def __init__(self) -> None:
        self._salts = count(1)

    def digest(self, password: Password) -> PasswordDigest:
        """Hash with the next number."""
        return _hashed(str(next(self._salts)), password)

    def match(self, digest: PasswordDigest | None, password: Password) -> bool:
        """Hash with the number of the digest."""
        salt = "0" if digest is None else digest.text.partition("$")[0]
        found = _hashed(salt, password)
        return digest is not None and hmac.compare_digest(found.text, digest.text)


def _hashed(salt: str, password: Password) -> PasswordDigest:
    text = hashlib.sha256(f"{salt}${password.reveal()}".encode()).hexdigest()
    return PasswordDigest(f"{salt}${text}")
