"""A rollout: what is given, to whom, and in which waves."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NewType
from uuid import UUID

from corral.farm.domain.naming import checked_name
from corral.farm.domain.rollout.errors import GateInvalidError
from corral.farm.domain.rollout.health import HealthLimits
from corral.farm.domain.rollout.member import Proof
from corral.farm.domain.rollout.state import RolloutState, next_state
from corral.farm.domain.rollout.wave import checked_waves

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.domain.rollout.evidence import Digest
    from corral.farm.domain.rollout.state import RolloutEvent
    from corral.farm.domain.rollout.wave import Wave

RolloutId = NewType("RolloutId", UUID)
RolloutName = NewType("RolloutName", str)

_SHORTEST_SILENCE: Final = timedelta(minutes=1)
_LONGEST_SILENCE: Final = timedelta(days=365)


def rollout_name(text: str) -> RolloutName:
    """Check a name for a rollout."""
    return RolloutName(checked_name("rollout", text))


class Given(StrEnum):
    """What kind of thing is rolled out."""

    VERSION = "version"
    KIT = "kit"


@dataclass(frozen=True)
class Offering:
    """What is rolled out."""

    kind: Given
    name: str
    """``debian/3``, or ``engine-5.0``."""
    digest: Digest


@dataclass(frozen=True)
class Rollout:
    """A rollout. Its waves and limits do not change once it has begun."""

    id: RolloutId
    name: RolloutName
    offering: Offering
    waves: tuple[Wave, ...]
    started_at: datetime
    started_by: str = ""
    health: HealthLimits = field(default_factory=HealthLimits)
    silent_after: timedelta = timedelta(days=1)
    """A machine that was offered it and is not heard of for so long counts as unknown."""
    state: RolloutState = RolloutState.RUNNING
    why: str = ""
    """Why it was paused, stopped or taken back, in somebody's words; or which gate has failed."""
    changed_at: datetime | None = None
    revision: int = 1

    def __post_init__(self) -> None:
        checked_waves(self.waves)
        what, given = "time of silence", self.silent_after
        if not _SHORTEST_SILENCE <= given <= _LONGEST_SILENCE:
            raise GateInvalidError(what, str(given), "it must be a minute to 365 days")

    def proof(self, wave: int) -> Proof:
        """Give what a machine of a wave has to show."""
        return Proof(self.offering.digest, self.waves[wave].gate.soak, self.health)

    def after(self, event: RolloutEvent, now: datetime, why: str = "") -> Rollout:
        """Give the rollout as it is after something; refused if the table does not have it."""
        state = next_state(self.name, self.state, event)
        return replace(self, state=state, why=why, changed_at=now)
