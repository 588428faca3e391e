"""A signing key in memory."""

from __future__ import annotations

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from corral.farm.domain.estate.errors import FarmKeyUnusableError


class MemoryFarmKey:
    """Makes its key when it is created, as the one in a file does."""

    def __init__(self) -> None:
        self._key: Ed25519PrivateKey | None = None

    def create(self) -> bytes:
        """Make the key pair if there is none."""
        if self._key is None:
            self._key = Ed25519PrivateKey.generate()
        return self.public_key()

    def public_key(self) -> bytes:
        """Give the raw public key."""
        return self._made().public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """Give the signature."""
        return self._made().sign(message)

    def derive(self, purpose: bytes, size: int) -> bytes:
        """Give secret bytes for a purpose (HKDF with SHA-256)."""
        return HKDF(hashes.SHA256(), size, salt=None, info=purpose).derive(
            self._made().private_bytes_raw()
        )

    def _made(self) -> Ed25519PrivateKey:
        if self._key is None:
            path, reason = "(memory)", "it was not made yet"
            raise FarmKeyUnusableError(path, reason)
        return self._key
