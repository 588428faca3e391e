"""The farm's signing key."""

from __future__ import annotations

from typing import Protocol


class FarmKey(Protocol):
    """An Ed25519 key pair kept with the farm, readable by its owner only.

    Raises ``FarmKeyUnusableError`` where the key is missing, damaged or open to others.
    """

    def create(self) -> bytes:
        """Make the farm's key pair if there is none; give its raw public key (32 bytes)."""
        ...

    def public_key(self) -> bytes:
        """Give the raw public key (32 bytes)."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Give the signature (64 bytes); the same message always gives the same one."""
        ...

    def derive(self, purpose: bytes, size: int) -> bytes:
        """Give secret bytes that follow from the key and the purpose, and tell nothing of either.

        The same each time: what is made of them need not be kept.
        """
        ...


class SignatureCheck(Protocol):
    """The mathematics of checking; needs no secret."""

    def __call__(self, public_key: bytes, message: bytes, signature: bytes) -> bool:
        """Whether the owner of the key signed the message."""
        ...
