"""Make, list and take back the one-time codes that register computers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import UUID

from corral.farm.application.listing import Columns
from corral.farm.domain.computer.code import (
    USUAL_LIFE,
    Code,
    RegistrationCode,
    RegistrationCodeId,
    checked_code,
)
from corral.farm.domain.computer.errors import RegistrationCodeUnknownError
from corral.farm.domain.estate.collection import FIRST_COLLECTION

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from corral.farm.application.ports.records import Transactions
    from corral.farm.application.ports.sources import Clock, IdSource, TokenSource
    from corral.farm.domain.computer.user import UserName
    from corral.farm.domain.estate.collection import Collection, CollectionName


@dataclass(frozen=True)
class CodeWithSecret:
    """What the farm keeps of a code, and the code itself: shown now and never again."""

    code: RegistrationCode
    secret: Code


@dataclass(frozen=True)
class CodeView:
    """A code, in words."""

    code: RegistrationCode
    user: UserName | None
    collection: Collection | None
    """None if it is gone: the code registers nothing."""
    works: bool


CODES: Final = Columns[CodeView](
    values={
        "id": lambda view: str(view.code.id),
        "user": lambda view: view.user,
        "collection": lambda view: None if view.collection is None else view.collection.name,
        "left": lambda view: view.code.uses_left,
        "works": lambda view: view.works,
        "created": lambda view: view.code.created_at,
        "expires": lambda view: view.code.expires_at,
    },
    identity=lambda view: str(view.code.id),
    first_sort="created",
)


class IssueCode:
    """Makes a code with which computers are registered without anybody's approval."""

    def __init__(
        self, transactions: Transactions, ids: IdSource, tokens: TokenSource, clock: Clock
    ) -> None:
        self._transactions = transactions
        self._ids = ids
        self._tokens = tokens
        self._clock = clock

    def __call__(
        self,
        user: UserName | None = None,
        collection: CollectionName | None = None,
        life: timedelta = USUAL_LIFE,
        uses: int = 1,
    ) -> CodeWithSecret:
        """Give it; for nobody in particular it registers computers for whomever they name.

        Raises ``UserUnknownError``, ``CollectionUnknownError``, ``RegistrationCodeUnfitError``.
        """
        checked_code(life, uses)
        now = self._clock.now()
        secret = Code.made_of(self._tokens.new())
        with self._transactions.writing() as records:
            records.registration_codes.forget_expired(now)
            collection_id = FIRST_COLLECTION.id
            if collection is not None:
                collection_id = records.collections.get(collection).id
            code = RegistrationCode(
                id=RegistrationCodeId(self._ids.new()),
                digest=secret.digest(),
                created_at=now,
                expires_at=now + life,
                collection_id=collection_id,
                user_id=None if user is None else records.users.get(user).id,
                uses_left=uses,
            )
            records.registration_codes.add(code)
        return CodeWithSecret(code, secret)


class ListCodes:
    """Gives the codes, none of them with its secret."""

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    def __call__(self) -> tuple[CodeView, ...]:
        """Give all of them, the oldest first."""
        now: datetime = self._clock.now()
        with self._transactions.reading() as records:
            users = {user.id: user.name for user in records.users.all()}
            collections = {one.id: one for one in records.collections.all()}
            return tuple(
                CodeView(
                    code=code,
                    user=None if code.user_id is None else users[code.user_id],
                    collection=collections.get(code.collection_id),
                    works=code.works(now) and code.collection_id in collections,
                )
                for code in records.registration_codes.all()
            )


class RevokeCode:
    """Takes a code back."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, text: str) -> RegistrationCode:
        """Give it as it was; raises ``RegistrationCodeUnknownError``."""
        with self._transactions.writing() as records:
            code = records.registration_codes.with_id(code_id(text))
            records.registration_codes.remove(code.id)
        return code


def code_id(text: str) -> RegistrationCodeId:
    """Read the id of a code."""
    try:
        return RegistrationCodeId(UUID(text))
    except ValueError:
        raise RegistrationCodeUnknownError(text) from None
