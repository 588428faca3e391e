"""Recognise who calls by the token that they show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corral.farm.domain.access.access_token import TokenKind
from corral.farm.domain.access.account import grants_of
from corral.farm.domain.access.actor import Actor, ActorKind
from corral.farm.domain.access.errors import AccessTokenExpiredError
from corral.farm.domain.access.permission import Rights
from corral.farm.domain.access.token import TokenWrongError

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.access.access_token import AccessToken
    from corral.farm.domain.access.account import Account
    from corral.farm.domain.access.token import Token


@dataclass(frozen=True)
class RecognisedCaller:
    """Who calls, and what they may do at this moment."""

    actor: Actor
    rights: Rights
    account: Account
    token: AccessToken


class RecogniseCaller:
    """Looks each time: what was revoked a moment ago opens nothing."""

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    def __call__(self, secret: Token, address: str) -> RecognisedCaller:
        """Give the caller; raises ``TokenWrongError``, ``AccessTokenExpiredError``."""
        with self._transactions.reading() as records:
            token = records.access_tokens.with_digest(secret.digest())
            if token is None:
                whose = "account"
                raise TokenWrongError(whose)
            account = records.accounts.with_id(token.account_id)
            grants = grants_of(account, records.groups.all(), records.role_grants.all())
        if account.disabled or not token.works(self._clock.now()):
            raise AccessTokenExpiredError
        is_person = token.kind is TokenKind.SESSION
        actor = Actor(
            ActorKind.ACCOUNT if is_person else ActorKind.TOKEN,
            account.name if is_person else f"{token.name} of {account.name}",
            address,
        )
        return RecognisedCaller(actor, Rights(grants, token.scopes, is_person), account, token)
