"""Passwords hashed by Argon2."""

from __future__ import annotations

import secrets
from functools import cached_property
from threading import BoundedSemaphore
from typing import Final

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from corral.farm.domain.access.password import Password, PasswordDigest

# The second recommendation of RFC 9106, for machines that have other things to do: 64 MiB.
_TIME: Final = 3
_MEMORY_KIB: Final = 64 * 1024
_LANES: Final = 4
_AT_ONCE: Final = 2
"""What a flood of sign-ins may take: this many times the memory."""


class Argon2Passwords:
    """Argon2id; parameters and salt stand in each digest."""

    def __init__(
        self, time: int = _TIME, memory_kib: int = _MEMORY_KIB, lanes: int = _LANES
    ) -> None:
        self._hasher = PasswordHasher(time, memory_kib, lanes, type=Type.ID)
        self._free = BoundedSemaphore(_AT_ONCE)

    def digest(self, password: Password) -> PasswordDigest:
        """Hash with a new salt."""
        with self._free:
            return PasswordDigest(self._hasher.hash(password.reveal()))

    def match(self, digest: PasswordDigest | None, password: Password) -> bool:
        """Hash with the salt of the digest, or with that of nobody's password."""
        with self._free:
            try:
                self._hasher.verify((digest or self._nobodys).text, password.reveal())
            except (VerifyMismatchError, VerificationError, InvalidHashError):
                return False
        return digest is not None

    @cached_property
    def _nobodys(self) -> PasswordDigest:
        return PasswordDigest(self._hasher.hash(secrets.token_hex()))
