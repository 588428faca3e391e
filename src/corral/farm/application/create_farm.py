"""Create a farm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from corral.farm.application.add_account import AccountWithSecret
from corral.farm.application.give_password import GivePassword, HowToSignIn
from corral.farm.domain.access.account import (
    Account,
    AccountId,
    RoleGrant,
    RoleGrantId,
    account_name,
)
from corral.farm.domain.access.permission import Grant, Role
from corral.farm.domain.estate.farm import ApiUrl, Farm, FarmId, FarmName

if TYPE_CHECKING:
    from corral.farm.application.ports.farm_key import FarmKey
    from corral.farm.application.ports.passwords import Passwords
    from corral.farm.application.ports.records import Transactions
    from corral.farm.application.ports.sources import Clock, IdSource, TokenSource

FIRST_ADMINISTRATOR: Final = "admin"


@dataclass(frozen=True)
class CreatedFarm:
    """The farm, and its first administrator with a one-time secret: shown now and never again."""

    farm: Farm
    administrator: AccountWithSecret


class CreateFarm:
    """Makes the records, the signing key, the farm itself and its first administrator.

    Killed half way, it can be called again: records and key that are there are used. Killed after
    the farm was kept and before the secret was seen, ``SetPassword`` makes another.
    """

    def __init__(  # noqa: PLR0913 - one for each port
        self,
        *,
        transactions: Transactions,
        key: FarmKey,
        passwords: Passwords,
        ids: IdSource,
        tokens: TokenSource,
        clock: Clock,
    ) -> None:
        self._transactions = transactions
        self._key = key
        self._give = GivePassword(passwords, tokens, clock)
        self._ids = ids
        self._clock = clock

    def __call__(self, name: FarmName, api_urls: tuple[ApiUrl, ...]) -> CreatedFarm:
        """Give the new farm; raises ``FarmExistsError``."""
        self._transactions.set_up()
        farm = Farm(
            id=FarmId(self._ids.new()),
            name=name,
            public_key=self._key.create(),
            api_urls=api_urls,
            created_at=self._clock.now(),
        )
        first = account_name(FIRST_ADMINISTRATOR)
        kept, secret = self._give(first, HowToSignIn.ONE_TIME)
        account = Account(
            AccountId(self._ids.new()), first, farm.created_at, "made with the farm", kept
        )
        grant = Grant(Role.FARM_ADMINISTRATOR)
        with self._transactions.writing() as records:
            records.farm.set_up(farm)
            records.accounts.add(account)
            records.role_grants.add(RoleGrant(RoleGrantId(self._ids.new()), account.id, grant))
        return CreatedFarm(farm, AccountWithSecret(account, secret))
