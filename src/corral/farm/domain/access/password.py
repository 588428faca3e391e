"""Passwords: what may be one, and the only form in which the farm keeps them."""

from __future__ import annotations

import base64
import unicodedata
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from corral.farm.domain.errors import InvalidInputError

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.domain.access.token import Token

SHORTEST: Final = 12
LONGEST: Final = 256
ONE_TIME_LIFE: Final = timedelta(days=7)

_ONE_TIME_BYTES: Final = 15
_GROUP: Final = 4


class PasswordUnfitError(InvalidInputError):
    """A password has 12 to 256 characters, not all alike, and is not the account's name."""

    code = "password-unfit"

    def __init__(self, why: str) -> None:
        super().__init__(
            f"this password will not do: {why}. Use {SHORTEST} to {LONGEST} characters, such as"
            " four or five words that do not belong together"
        )


class Password:
    """A password as somebody typed it. Never shown by ``repr`` or ``str``."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        # The same characters may be typed in several ways; without this the same password would not
        # always be the same.
        self._text = unicodedata.normalize("NFKC", text)

    def reveal(self) -> str:
        """Give the password itself, for hashing it and for showing it once to its owner."""
        return self._text

    def checked(self, account: str) -> Password:
        """Give the same one if it may be the password of ``account``."""
        if len(self._text) < SHORTEST:
            why = f"it is shorter than {SHORTEST} characters"
            raise PasswordUnfitError(why)
        if len(self._text) > LONGEST:
            why = f"it is longer than {LONGEST} characters"
            raise PasswordUnfitError(why)
        if len(set(self._text)) < _GROUP:
            why = "it is made of very few different characters"
            raise PasswordUnfitError(why)
        if account in self._text and len(self._text) < len(account) + SHORTEST:
            why = "it is little more than the account's name"
            raise PasswordUnfitError(why)
        return self

    def __repr__(self) -> str:
        return "Password(…)"


@dataclass(frozen=True)
class PasswordDigest:
    """What a hash that is slow on purpose makes of a password, with its parameters and its salt."""

    text: str

    def __repr__(self) -> str:
        return "PasswordDigest(…)"


@dataclass(frozen=True)
class KeptPassword:
    """What an account signs in with."""

    digest: PasswordDigest
    one_time_until: datetime | None = None
    """Set of a secret that was given out: it opens nothing but the change to a password of one's
    own, once, until then."""


def one_time_secret(token: Token) -> Password:
    """Give a secret of 120 random bits that can be typed: ``abcd-efgh-…``."""
    text = base64.b32encode(token.digest().value[:_ONE_TIME_BYTES]).decode("ascii").lower()
    groups = (text[start : start + _GROUP] for start in range(0, len(text), _GROUP))
    return Password("-".join(groups))
