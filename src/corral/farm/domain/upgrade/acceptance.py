"""A named risk that a named person takes upon themselves until a date, and why.

There is nothing that overrides a refusal as such: only what has a name can be accepted, for as long
as was said, and every report shows it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, NewType
from uuid import UUID

from corral.farm.domain.upgrade.errors import RiskInvalidError

AcceptanceId = NewType("AcceptanceId", UUID)

_LONGEST: Final = 255
_NOT_KEPT: Final = AcceptanceId(UUID(int=0))


@dataclass(frozen=True)
class Acceptance:
    """One risk that was accepted."""

    risk: str
    """The code of an obstacle, and the thing that it is about: ``computers-behind computer x``."""
    by: str
    until: datetime
    because: str
    accepted_at: datetime
    id: AcceptanceId = _NOT_KEPT

    def covers(self, risk: str, now: datetime) -> bool:
        """Whether it is accepted at that moment."""
        return risk == self.risk and now < self.until


def checked_risk(text: str) -> str:
    """Check the name of a risk: a code, a space, and what it is about."""
    code, _, thing = text.strip().partition(" ")
    if not code or not thing or len(text) > _LONGEST:
        raise RiskInvalidError(
            text[:_LONGEST],
            "it is written as in 'corral upgrade status': a code and what it is about, such as"
            " 'computers-behind computer laptop'",
        )
    return f"{code} {thing}"


def moment_of(risk: str, text: str) -> datetime:
    """Read until when it is accepted; a moment without a zone would be another one elsewhere."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        rule = f"{text!r} is no moment: write date, time and zone, such as 2026-12-01T20:00+01:00"
        raise RiskInvalidError(risk, rule)
    return moment
