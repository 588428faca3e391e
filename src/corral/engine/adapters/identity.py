"""The computer's key pair, made on it and never leaving it."""

from __future__ import annotations

import stat
from functools import cached_property
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from corral.engine.adapters.files import reason_of, write_whole
from corral.engine.domain.failures import KeyUnusableError

if TYPE_CHECKING:
    from pathlib import Path

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_ROOT_DOMAIN: Final = b"corral root v1\0"


class FileIdentity:
    """An Ed25519 private key in PEM, in a file that only its owner can read."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def public_key(self) -> bytes:
        """Give the raw public key; the pair is made the first time."""
        if not self._path.exists():
            pem = Ed25519PrivateKey.generate().private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
            )
            try:
                write_whole(self._path, pem)
            except OSError as error:
                raise KeyUnusableError(str(self._path), reason_of(error)) from error
        return self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """Give the signature."""
        return self._key.sign(message)

    @cached_property
    def _key(self) -> Ed25519PrivateKey:
        path = str(self._path)
        try:
            if self._path.stat().st_mode & _OTHERS:
                raise KeyUnusableError(path, "others than its owner can read it")
            key = load_pem_private_key(self._path.read_bytes(), password=None)
        except OSError as error:
            raise KeyUnusableError(path, reason_of(error)) from error
        except (ValueError, TypeError) as error:
            raise KeyUnusableError(path, "it is not a private key") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise KeyUnusableError(path, "it is not an Ed25519 key")
        return key


def is_signed(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the owner of the key signed the message."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def is_root_signed(public_key: bytes, root: str, signature: bytes) -> bool:
    """Whether the farm has published this root."""
    return is_signed(public_key, _ROOT_DOMAIN + bytes.fromhex(root), signature)
