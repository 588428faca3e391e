"""Accept a named risk of an upgrade until a date, take that back, and list what was accepted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from corral.farm.domain.upgrade.acceptance import Acceptance, AcceptanceId, checked_risk
from corral.farm.domain.upgrade.errors import AcceptanceUnknownError, RiskInvalidError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from corral.farm.application.ports.records import Transactions
    from corral.farm.application.ports.sources import Clock, IdSource

LONGEST: Final = timedelta(days=90)
"""Nothing is accepted for ever: who accepts says when it is to be looked at again."""


class AcceptRisk:
    """Writes down who takes which risk, for how long, and why."""

    def __init__(self, transactions: Transactions, clock: Clock, ids: IdSource, by: str) -> None:
        self._transactions = transactions
        self._clock = clock
        self._ids = ids
        self._by = by

    def __call__(self, risk: str, until: datetime, because: str) -> Acceptance:
        """Give the acceptance; raises ``RiskInvalidError``."""
        now = self._clock.now()
        risk = checked_risk(risk)
        if not now < until <= now + LONGEST:
            raise RiskInvalidError(risk, f"it ends within {LONGEST.days} days from now")
        if not because.strip():
            raise RiskInvalidError(risk, "say why, for those who read the report")
        accepted = Acceptance(
            id=AcceptanceId(self._ids.new()),
            risk=risk,
            by=self._by,
            until=until,
            because=because.strip(),
            accepted_at=now,
        )
        with self._transactions.writing() as records:
            records.acceptances.add(accepted)
        return accepted


class WithdrawAcceptance:
    """Takes back what was accepted."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, risk: str) -> int:
        """Give how many acceptances of it there were; raises ``AcceptanceUnknownError``."""
        with self._transactions.writing() as records:
            found = [one for one in records.acceptances.all() if one.risk == risk]
            if not found:
                raise AcceptanceUnknownError(risk)
            for one in found:
                records.acceptances.remove(one.id)
        return len(found)


@dataclass(frozen=True)
class AcceptedRisks:
    """What was accepted, also what is over, as of one moment."""

    at: datetime
    risks: Sequence[Acceptance]
    """Oldest first."""


class ListAcceptances:
    """Gives what was accepted."""

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    def __call__(self) -> AcceptedRisks:
        """Give all."""
        with self._transactions.reading() as records:
            return AcceptedRisks(self._clock.now(), records.acceptances.all())
