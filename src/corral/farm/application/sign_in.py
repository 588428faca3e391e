"""Sign in: a password becomes a token that lives for a working day."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

from corral.farm.application.give_password import GivePassword
from corral.farm.application.set_password import keep_password
from corral.farm.domain.access.access_token import (
    SESSION_LIFE,
    AccessToken,
    AccessTokenId,
    TokenKind,
)
from corral.farm.domain.access.actor import Actor, ActorKind
from corral.farm.domain.access.attempts import Attempts
from corral.farm.domain.access.audit import Entry
from corral.farm.domain.access.errors import (
    OneTimeSecretExpiredError,
    PasswordMustChangeError,
    SignInWrongError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from corral.farm.application.ports.directory import Directory
    from corral.farm.application.ports.passwords import Passwords
    from corral.farm.application.ports.records import Transactions
    from corral.farm.application.ports.sources import Clock, IdSource, TokenSource
    from corral.farm.domain.access.account import Account, AccountName
    from corral.farm.domain.access.password import KeptPassword, Password
    from corral.farm.domain.access.token import Token


@dataclass(frozen=True)
class SignedIn:
    """Who signed in, and the token that shows it: given now and never again."""

    account: Account
    token: AccessToken
    secret: Token


class SharedAttempts:
    """The attempts of a process, whose requests come on several threads."""

    def __init__(self, attempts: Attempts | None = None) -> None:
        self._attempts = attempts or Attempts()
        self._lock = Lock()

    def begin(self, account: str, address: str, now: datetime) -> None:
        """Count an attempt before it is looked at; raises ``SignInTooOftenError``."""
        with self._lock:
            self._attempts.begin(account, address, now)

    def succeeded(self, account: str, address: str, now: datetime) -> None:
        """Give the attempt back."""
        with self._lock:
            self._attempts.succeeded(account, address, now)


class SignIn:
    """Takes names and passwords from anybody, so that it counts how often.

    The transactions are in the name of the account that the caller claims to be: nothing is changed
    in that name before the password was right.
    """

    def __init__(  # noqa: PLR0913 - one for each port
        self,
        transactions: Transactions,
        passwords: Passwords,
        ids: IdSource,
        tokens: TokenSource,
        clock: Clock,
        *,
        attempts: SharedAttempts,
        directories: Sequence[Directory] = (),
    ) -> None:
        self._transactions = transactions
        self._passwords = passwords
        self._ids = ids
        self._tokens = tokens
        self._clock = clock
        self._directories = directories
        self._attempts = attempts
        self._give = GivePassword(passwords, tokens, clock)

    def __call__(
        self, name: AccountName, password: Password, address: str, new: Password | None = None
    ) -> SignedIn:
        """Give a token; with ``new``, that is the password from now on.

        Raises ``SignInTooOftenError``, ``SignInWrongError`` whatever is wrong,
        ``PasswordMustChangeError``, ``OneTimeSecretExpiredError``, ``PasswordUnfitError``.
        """
        now = self._clock.now()
        self._attempts.begin(name, address, now)
        with self._transactions.reading() as records:
            found = records.accounts.find(name)
        account = found if self._is_proved(name, found, password) else None
        if account is None or account.disabled:
            self._note_refusal(found, address, now)
            raise SignInWrongError
        self._attempts.succeeded(name, address, now)
        fresh = self._fresh_password(account, password, new, now)
        return self._begun(account, fresh, address)

    def _is_proved(self, name: AccountName, found: Account | None, password: Password) -> bool:
        kept = None if found is None else found.password
        # Hashed also where there is nothing to compare with: see the port.
        is_right = self._passwords.match(None if kept is None else kept.digest, password)
        if found is None or kept is not None:
            return is_right
        return any(directory.vouches(name, password) for directory in self._directories)

    def _fresh_password(
        self, account: Account, password: Password, new: Password | None, now: datetime
    ) -> KeptPassword | None:
        """Give what is to be kept from now on; none if that stays."""
        kept = account.password
        if kept is None:
            return None
        if kept.one_time_until is not None:
            if kept.one_time_until <= now:
                raise OneTimeSecretExpiredError
            if new is None or new.reveal() == password.reveal():
                raise PasswordMustChangeError
        return None if new is None else self._give(account.name, new)[0]

    def _begun(self, seen: Account, fresh: KeptPassword | None, address: str) -> SignedIn:
        now = self._clock.now()
        secret = self._tokens.new()
        token = AccessToken(
            id=AccessTokenId(self._ids.new()),
            account_id=seen.id,
            name="session",
            kind=TokenKind.SESSION,
            digest=secret.digest(),
            scopes=None,
            created_at=now,
            expires_at=now + SESSION_LIFE,
        )
        actor = Actor(ActorKind.ACCOUNT, seen.name, address)
        with self._transactions.writing() as records:
            account = records.accounts.with_id(seen.id)
            if account.password != seen.password or account.disabled:
                # Somebody used the one-time secret, or locked the door, while this was looked at.
                raise SignInWrongError
            if fresh is not None:
                account = keep_password(records, account, fresh, now)
            records.access_tokens.forget_expired(now - SESSION_LIFE)
            records.access_tokens.add(token)
            records.accounts.set_signed_in(account.id, now)
            records.audit.note(Entry(now, actor, "account.sign-in", account.name))
        return SignedIn(account, token, secret)

    def _note_refusal(self, found: Account | None, address: str, now: datetime) -> None:
        # A name that nobody has is not noted: it may be a password in the wrong field.
        thing = "(no such account)" if found is None else found.name
        entry = Entry(now, Actor(ActorKind.NOBODY, "", address), "account.sign-in-refused", thing)
        with self._transactions.writing() as records:
            records.audit.note(entry)
