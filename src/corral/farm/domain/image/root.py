"""The root hash: the identity of a version."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from corral.farm.domain.errors import InvalidInputError

_HEX: Final = re.compile(r"[0-9a-f]{64}")
_SIGNATURE_DOMAIN: Final = b"corral root v1\0"
_SHORT: Final = 12


class RootInvalidError(InvalidInputError):
    """A root hash is 64 lower-case hexadecimal digits, never shortened."""

    code = "root-invalid"

    def __init__(self, text: str) -> None:
        super().__init__(f"{text!r} is not a root hash: write all 64 lower-case hexadecimal digits")


@dataclass(frozen=True, order=True)
class RootHash:
    """BLAKE3-256 of a root record: equal in two stores if and only if the version is."""

    hex: str

    def __post_init__(self) -> None:
        if _HEX.fullmatch(self.hex) is None:
            raise RootInvalidError(self.hex)

    @property
    def digest(self) -> bytes:
        """The 32 bytes themselves."""
        return bytes.fromhex(self.hex)

    @property
    def short(self) -> str:
        """The first digits, for tables that people read; never for data."""
        return self.hex[:_SHORT]

    def signed_message(self) -> bytes:
        """Give what the farm's key signs when it publishes this root."""
        return _SIGNATURE_DOMAIN + self.digest

    def __str__(self) -> str:
        return self.hex
