"""One-time codes by which computers are registered without anybody's approval."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NewType
from uuid import UUID

from corral.farm.domain.access.token import TokenDigest
from corral.farm.domain.computer.errors import (
    RegistrationCodeUnfitError,
    RegistrationCodeWrongError,
)

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.domain.access.token import Token
    from corral.farm.domain.computer.user import UserId
    from corral.farm.domain.estate.collection import CollectionId

RegistrationCodeId = NewType("RegistrationCodeId", UUID)

USUAL_LIFE: Final = timedelta(days=7)

_SHORTEST: Final = timedelta(minutes=1)
_LONGEST: Final = timedelta(days=90)
_USES_AT_MOST: Final = 1000
_BYTES: Final = 15
_GROUP: Final = 4
_TEXT: Final = re.compile(r"[a-z2-7]{24}")


class Code:
    """120 random bits that somebody types: ``abcd-efgh-…``. Never shown by ``repr`` or ``str``."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        plain = "".join(text.lower().replace("-", " ").split())
        if _TEXT.fullmatch(plain) is None:
            raise RegistrationCodeWrongError
        self._text = plain

    @classmethod
    def made_of(cls, token: Token) -> Code:
        """Make one of random bytes."""
        return cls(base64.b32encode(token.digest().value[:_BYTES]).decode("ascii"))

    def reveal(self) -> str:
        """Give the code itself, to be shown once."""
        starts = range(0, len(self._text), _GROUP)
        return "-".join(self._text[start : start + _GROUP] for start in starts)

    def digest(self) -> TokenDigest:
        """Give what the farm keeps of it; a plain hash is enough for what nobody can guess."""
        return TokenDigest(hashlib.sha256(self._text.encode()).digest())

    def __repr__(self) -> str:
        return "Code(…)"


@dataclass(frozen=True)
class RegistrationCode:
    """What the farm keeps of a code."""

    id: RegistrationCodeId
    digest: TokenDigest
    created_at: datetime
    expires_at: datetime
    collection_id: CollectionId
    user_id: UserId | None = None
    """Whose computers it registers; none: whoever the computer names."""
    uses_left: int = 1

    def works(self, now: datetime) -> bool:
        """Whether it registers one more computer at ``now``."""
        return self.uses_left > 0 and now < self.expires_at


def checked_code(life: timedelta, uses: int) -> None:
    """Raise ``RegistrationCodeUnfitError`` for a code that must not be made."""
    if not _SHORTEST <= life <= _LONGEST or not 1 <= uses <= _USES_AT_MOST:
        raise RegistrationCodeUnfitError
