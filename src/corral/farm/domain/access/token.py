"""Bearer secrets of servers and devices, and the only form in which the farm keeps them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from typing import Final

from corral.farm.domain.errors import DeniedError

TOKEN_BYTES: Final = 32
NOBODYS_DIGEST: Final = bytes(32)
"""Compared with where there is nobody, so that this takes no less time."""


class TokenWrongError(DeniedError):
    """The token is not that of a server or device of this farm; why not is not said."""

    code = "token-wrong"

    def __init__(self, whose: str) -> None:
        super().__init__(
            f"the farm knows no {whose} with this token: use the token that was issued when the"
            f" {whose} was added, and check that this is the right farm"
        )


@dataclass(frozen=True)
class TokenDigest:
    """SHA-256 of a token: enough to recognise it, useless for pretending to be its owner.

    A plain hash is enough, because a token is 32 random bytes and no guessable password.
    """

    value: bytes

    def matches(self, token: Token) -> bool:
        """Whether this is the digest of ``token``; takes the same time whatever differs."""
        return hmac.compare_digest(self.value, token.digest().value)


class Token:
    """A bearer secret of 32 random bytes. Never shown by ``repr`` or ``str``."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        if len(value) != TOKEN_BYTES:
            msg = "server or device"
            raise TokenWrongError(msg)
        self._value = value

    @classmethod
    def parse(cls, text: str) -> Token:
        """Read the form that :meth:`reveal` gives."""
        try:
            value = base64.b64decode(text.strip() + "=", altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            msg = "server or device"
            raise TokenWrongError(msg) from None
        return cls(value)

    def reveal(self) -> str:
        """Give the secret itself in base64url without padding, for its owner's file only."""
        return base64.urlsafe_b64encode(self._value).rstrip(b"=").decode("ascii")

    def digest(self) -> TokenDigest:
        """Give what the farm keeps of this token."""
        return TokenDigest(hashlib.sha256(self._value).digest())

    def __repr__(self) -> str:
        return "Token(…)"
