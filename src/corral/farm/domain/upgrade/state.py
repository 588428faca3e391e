"""Where an upgrade of the farm is: one table of its states.

The check of a move, the tests, and the diagram in ``docs/reference/upgrade.md`` come from it.
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from corral.farm.domain.upgrade.errors import UpgradeTransitionError

if TYPE_CHECKING:
    from collections.abc import Mapping


class UpgradeState(StrEnum):
    """What people see."""

    RUNNING = "running"
    """Steps are taken, one after the other, towards the release that was asked for."""
    PAUSED = "paused"
    """No step begins; the one that was begun ends."""
    AWAITING_FINALISE = "awaiting-finalise"
    """Everything runs the new release, and the old one could still be gone back to."""
    FINALISING = "finalising"
    """What only the old release needs is taken away; there is no way back any more."""
    DONE = "done"
    ROLLING_BACK = "rolling-back"
    """Steps are taken towards the release that the farm came from."""
    ROLL_BACK_PAUSED = "roll-back-paused"
    ROLLED_BACK = "rolled-back"

    @property
    def leads_forward(self) -> bool:
        """Whether the new release is the one that is wanted."""
        return self not in {self.ROLLING_BACK, self.ROLL_BACK_PAUSED, self.ROLLED_BACK}


class UpgradeEvent(StrEnum):
    """What can happen to an upgrade."""

    PAUSE = "pause"
    RESUME = "resume"
    """Somebody says to go on; what had failed until then is tried again."""
    ARRIVE = "arrive"
    """The last server was seen to serve the wanted release, for as long as the policy says."""
    LEAVE = "leave"
    """A server was seen not to run it any more."""
    FINALISE = "finalise"
    CONTRACT = "contract"
    """The schema was seen without what only the old release needs."""
    ROLL_BACK = "roll-back"


_S, _E = UpgradeState, UpgradeEvent

TRANSITIONS: Final[Mapping[tuple[UpgradeState, UpgradeEvent], UpgradeState]] = MappingProxyType(
    {
        (_S.RUNNING, _E.PAUSE): _S.PAUSED,
        (_S.RUNNING, _E.ARRIVE): _S.AWAITING_FINALISE,
        (_S.RUNNING, _E.ROLL_BACK): _S.ROLLING_BACK,
        (_S.PAUSED, _E.RESUME): _S.RUNNING,
        (_S.PAUSED, _E.ROLL_BACK): _S.ROLLING_BACK,
        (_S.AWAITING_FINALISE, _E.LEAVE): _S.RUNNING,
        (_S.AWAITING_FINALISE, _E.FINALISE): _S.FINALISING,
        (_S.AWAITING_FINALISE, _E.ROLL_BACK): _S.ROLLING_BACK,
        (_S.FINALISING, _E.RESUME): _S.FINALISING,
        (_S.FINALISING, _E.CONTRACT): _S.DONE,
        (_S.ROLLING_BACK, _E.PAUSE): _S.ROLL_BACK_PAUSED,
        (_S.ROLLING_BACK, _E.ARRIVE): _S.ROLLED_BACK,
        (_S.ROLL_BACK_PAUSED, _E.RESUME): _S.ROLLING_BACK,
    }
)
"""Every move that there is."""

OVER: Final = frozenset({_S.DONE, _S.ROLLED_BACK})
STEPPING: Final = frozenset({_S.RUNNING, _S.FINALISING, _S.ROLLING_BACK})
"""Those in which steps begin."""


def after(state: UpgradeState, event: UpgradeEvent) -> UpgradeState:
    """Give the state that follows; raises ``UpgradeTransitionError`` if the table has no row."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise UpgradeTransitionError(state, event, allowed(state)) from None


def allowed(state: UpgradeState) -> tuple[UpgradeEvent, ...]:
    """Give the events that have a row for the state."""
    return tuple(event for before, event in TRANSITIONS if before is state)
