"""Tokens that people and programs show to the API instead of a password."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NewType
from uuid import UUID

from corral.farm.domain.access.errors import ScopeUnknownError, TokenLifeError
from corral.farm.domain.access.permission import TABLE, Permission
from corral.farm.domain.naming import checked_name

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from corral.farm.domain.access.account import AccountId
    from corral.farm.domain.access.token import TokenDigest

AccessTokenId = NewType("AccessTokenId", UUID)

SESSION_LIFE: Final = timedelta(hours=12)
DEFAULT_LIFE: Final = timedelta(days=90)
_SHORTEST: Final = timedelta(minutes=1)
_LONGEST: Final = timedelta(days=400)


class TokenKind(StrEnum):
    """How a token came to be."""

    SESSION = "session"
    """By signing in: it may whatever its account may, for a working day."""
    API = "api"
    """Made for a program: what its scopes say, until its date."""


@dataclass(frozen=True)
class AccessToken:
    """What the farm keeps of a token: enough to recognise it, useless for showing it."""

    id: AccessTokenId
    account_id: AccountId
    name: str
    kind: TokenKind
    digest: TokenDigest
    scopes: frozenset[Permission] | None
    """None of a session: whatever the account may."""
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None

    def works(self, now: datetime) -> bool:
        """Whether it opens anything at ``now``."""
        return self.revoked_at is None and now < self.expires_at


def token_name(text: str) -> str:
    """Check a name for a token."""
    return checked_name("token", text)


def checked_expiry(now: datetime, expires_at: datetime) -> datetime:
    """Give ``expires_at`` if a token that is made now may live until then."""
    if not _SHORTEST <= expires_at - now <= _LONGEST:
        raise TokenLifeError
    return expires_at


def scopes_of(texts: Iterable[str]) -> frozenset[Permission]:
    """Read scopes: names of permissions, ``NOUN.*``, ``*.VERB`` or ``*``.

    What they stand for is settled now: a permission of a later release is in no token of today.
    """
    found: set[Permission] = set()
    for text in texts:
        matching = {permission for permission in TABLE if _matches(text, permission)}
        if not matching:
            raise ScopeUnknownError(text)
        found |= matching
    if not found:
        empty = ""
        raise ScopeUnknownError(empty)
    return frozenset(found)


def _matches(scope: str, permission: Permission) -> bool:
    noun, _, verb = permission.value.partition(".")
    wanted_noun, dot, wanted_verb = scope.partition(".")
    if not dot:
        return scope in {"*", permission.value}
    return wanted_noun in {"*", noun} and wanted_verb in {"*", verb} and bool(verb)
