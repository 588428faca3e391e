"""The farm's signing key in a file, and the check of signatures."""

from __future__ import annotations

import stat
from functools import cached_property
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from corral.farm.adapters.farm_folder.private_file import write_private_file
from corral.farm.domain.estate.errors import FarmKeyUnusableError

if TYPE_CHECKING:
    from pathlib import Path

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class FileFarmKey:
    """An Ed25519 private key in PEM (PKCS #8), in a file that only its owner can read."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def create(self) -> bytes:
        """Make the key pair if there is none; give its raw public key."""
        if not self._path.exists():
            pem = Ed25519PrivateKey.generate().private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
            )
            try:
                write_private_file(self._path, pem)
            except OSError as error:
                raise FarmKeyUnusableError(self._path, _reason(error)) from error
        return self.public_key()

    def public_key(self) -> bytes:
        """Give the raw public key."""
        return self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """Give the signature."""
        return self._key.sign(message)

    def derive(self, purpose: bytes, size: int) -> bytes:
        """Give secret bytes for a purpose (HKDF with SHA-256)."""
        return HKDF(hashes.SHA256(), size, salt=None, info=purpose).derive(
            self._key.private_bytes_raw()
        )

    @cached_property
    def _key(self) -> Ed25519PrivateKey:
        try:
            if self._path.stat().st_mode & _OTHERS:
                reason = "others than its owner can read it"
                raise FarmKeyUnusableError(self._path, reason)
            key = load_pem_private_key(self._path.read_bytes(), password=None)
        except OSError as error:
            raise FarmKeyUnusableError(self._path, _reason(error)) from error
        except (ValueError, TypeError) as error:
            raise FarmKeyUnusableError(self._path, "it is not a private key") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise FarmKeyUnusableError(self._path, "it is not an Ed25519 key")
        return key


def is_signed(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the owner of the key signed the message."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
