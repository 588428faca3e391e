"""What is wanted of an upgrade: where to, and how carefully."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.domain.estate.server import ServerName
    from corral.farm.domain.library.release import Release
    from corral.farm.domain.upgrade.acceptance import Acceptance
    from corral.farm.domain.upgrade.state import UpgradeState

SOAK: Final = timedelta(hours=1)
"""How long everything runs the new release before an end can be put to the old one."""


@dataclass(frozen=True)
class Policy:
    """What is wanted. The direction follows from the state."""

    old: Release
    new: Release
    state: UpgradeState
    soak: timedelta = SOAK
    first: tuple[ServerName, ...] = ()
    """Servers to begin with: the test ring."""
    acceptances: tuple[Acceptance, ...] = ()
    runs_since: datetime | None = None
    """Since when every server was seen to serve the wanted release (``Plan.is_all_there``); none
    while one does not."""
    forgiven: int = 0
    """The generation of the farm's newest blueprint when a person last resumed: what failed up to
    there is tried again, with a new order."""
    epoch: int = 0
    """The farm's when the upgrade began."""

    @property
    def wanted(self) -> Release:
        """The release that steps lead to now."""
        return self.new if self.state.leads_forward else self.old
