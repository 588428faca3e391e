"""One upgrade of the farm, from the day it is begun."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NewType
from uuid import UUID

from corral.farm.domain.upgrade.policy import SOAK, Policy
from corral.farm.domain.upgrade.state import OVER, UpgradeEvent, UpgradeState, after

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from corral.farm.domain.estate.server import ServerName
    from corral.farm.domain.library.item import ItemName
    from corral.farm.domain.library.release import Release
    from corral.farm.domain.upgrade.acceptance import Acceptance
    from corral.farm.domain.upgrade.blueprint import UpgradeNumber

UpgradeId = NewType("UpgradeId", UUID)


@dataclass(frozen=True)
class Upgrade:
    """Where the farm goes, and how far it is."""

    id: UpgradeId
    number: UpgradeNumber
    """Counts the farm's upgrades."""
    kit: ItemName
    old: Release
    new: Release
    state: UpgradeState
    started_at: datetime
    started_by: str
    changed_at: datetime
    soak: timedelta = SOAK
    first: tuple[ServerName, ...] = ()
    """Servers to begin with."""
    why: str = ""
    """Why it is in its state, if somebody or something said so."""
    epoch: int = 0
    """The farm's when it was begun."""
    forgiven: int = 0
    """The generation of the newest blueprint when a person last said to go on: what failed up to
    there is tried again."""
    runs_since: datetime | None = None
    """Since when everything was seen to run the wanted release."""
    schema_problem: str = ""
    """Why the schema could not be changed; empty if it could, or nobody has tried yet."""
    schema_problem_of: int = 0
    """The generation of the blueprint that the problem is about."""
    revision: int = 1

    @property
    def is_over(self) -> bool:
        """Whether another one can begin."""
        return self.state in OVER

    def policy(self, acceptances: tuple[Acceptance, ...]) -> Policy:
        """Give what is wanted, for the planner."""
        return Policy(
            old=self.old,
            new=self.new,
            state=self.state,
            soak=self.soak,
            first=self.first,
            acceptances=acceptances,
            runs_since=self.runs_since,
            forgiven=self.forgiven,
            epoch=self.epoch,
        )

    def moved(
        self, event: UpgradeEvent, now: datetime, why: str = "", *, newest: int = 0
    ) -> Upgrade:
        """Give it after an event; raises ``UpgradeTransitionError``.

        ``newest``: the generation of the farm's newest blueprint.
        """
        state = after(self.state, event)
        goes_on = event in {UpgradeEvent.RESUME, UpgradeEvent.ROLL_BACK}
        return replace(
            self,
            state=state,
            changed_at=now,
            why=why,
            forgiven=newest if goes_on else self.forgiven,
            # The other direction is another thing to be seen.
            runs_since=None if event is UpgradeEvent.ROLL_BACK else self.runs_since,
        )
