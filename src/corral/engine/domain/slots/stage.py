"""How far an engine is with a release of its own: one persisted table of every move there is."""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from corral.engine.domain.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping


class KitStage(StrEnum):
    """Where the engine stands with its releases."""

    RESTING = "resting"
    """The release that runs has proven itself, or none was ever ordered."""
    FETCHING = "fetching"
    INSTALLING = "installing"
    """The kit is here, and is being laid out in the slot that does not run."""
    INSTALLED = "installed"
    """The agent's next start is from the other slot."""
    PROVING = "proving"
    """The slot was changed, and the release in it has not yet shown that it works."""
    GOING_BACK = "going-back"
    """It did not work: the next start is from the slot before."""
    WENT_BACK = "went-back"
    FAILED = "failed"
    """The kit cannot be installed, or both slots fail: nothing more happens by itself."""


class KitEvent(StrEnum):
    """What can happen to it."""

    ORDERED = "ordered"
    WITHDRAWN = "withdrawn"
    ARRIVED = "arrived"
    LOST = "lost"
    LAID_OUT = "laid-out"
    REFUSED = "refused"
    """The kit is damaged, not signed by a publisher that is trusted, or does not run here."""
    SWITCHED = "switched"
    PROVED = "proved"
    NOT_PROVED = "not-proved"
    RETURNED = "returned"
    """An agent from the slot before runs again."""
    GAVE_UP = "gave-up"


_S, _E = KitStage, KitEvent

KIT_TRANSITIONS: Final[Mapping[tuple[KitStage, KitEvent], KitStage]] = MappingProxyType(
    {
        (_S.RESTING, _E.ORDERED): _S.FETCHING,
        (_S.WENT_BACK, _E.ORDERED): _S.FETCHING,
        (_S.FAILED, _E.ORDERED): _S.FETCHING,
        (_S.FETCHING, _E.ORDERED): _S.FETCHING,
        (_S.INSTALLING, _E.ORDERED): _S.FETCHING,
        (_S.INSTALLED, _E.ORDERED): _S.FETCHING,
        (_S.FETCHING, _E.WITHDRAWN): _S.RESTING,
        (_S.INSTALLING, _E.WITHDRAWN): _S.RESTING,
        (_S.INSTALLED, _E.WITHDRAWN): _S.RESTING,
        (_S.FETCHING, _E.ARRIVED): _S.INSTALLING,
        (_S.INSTALLING, _E.LOST): _S.FETCHING,
        (_S.INSTALLING, _E.LAID_OUT): _S.INSTALLED,
        (_S.INSTALLED, _E.LOST): _S.INSTALLING,
        (_S.INSTALLING, _E.REFUSED): _S.FAILED,
        (_S.INSTALLED, _E.SWITCHED): _S.PROVING,
        (_S.PROVING, _E.PROVED): _S.RESTING,
        (_S.PROVING, _E.NOT_PROVED): _S.GOING_BACK,
        (_S.GOING_BACK, _E.RETURNED): _S.WENT_BACK,
        (_S.GOING_BACK, _E.GAVE_UP): _S.FAILED,
    }
)


class KitTransitionError(RefusedError):
    """An engine's release goes from stage to stage only as the table says."""

    code = "kit-transition"

    def __init__(self, stage: KitStage, event: KitEvent) -> None:
        super().__init__(
            f"a release that is {stage} cannot take {event}; this is a fault of the engine:"
            " please report it with slots/state.json"
        )


def next_kit_stage(stage: KitStage, event: KitEvent) -> KitStage:
    """Give the stage after ``event``, refused if the table has no such arrow."""
    try:
        return KIT_TRANSITIONS[stage, event]
    except KeyError:
        raise KitTransitionError(stage, event) from None
