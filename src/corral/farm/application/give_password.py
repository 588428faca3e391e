"""Make what an account signs in with."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from corral.farm.domain.access.password import (
    ONE_TIME_LIFE,
    KeptPassword,
    Password,
    one_time_secret,
)

if TYPE_CHECKING:
    from corral.farm.application.ports.passwords import Passwords
    from corral.farm.application.ports.sources import Clock, TokenSource


class HowToSignIn(Enum):
    """What an account gets instead of a password that somebody chose."""

    ONE_TIME = auto()
    """A secret with which its owner chooses a password."""
    NOT_AT_ALL = auto()
    """None: a directory vouches for its owner, or it only has tokens for programs."""


class GivePassword:
    """Hashes, outside every transaction."""

    def __init__(self, passwords: Passwords, tokens: TokenSource, clock: Clock) -> None:
        self._passwords = passwords
        self._tokens = tokens
        self._clock = clock

    def __call__(
        self, account: str, how: HowToSignIn | Password
    ) -> tuple[KeptPassword | None, Password | None]:
        """Give what is kept, and the secret if one was made; raises ``PasswordUnfitError``."""
        match how:
            case Password():
                return KeptPassword(self._passwords.digest(how.checked(account))), None
            case HowToSignIn.ONE_TIME:
                secret = one_time_secret(self._tokens.new())
                until = self._clock.now() + ONE_TIME_LIFE
                return KeptPassword(self._passwords.digest(secret), until), secret
            case HowToSignIn.NOT_AT_ALL:
                return None, None
