"""What the engine says of its own releases: computed from what is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from corral.engine.domain.fetching import FetchState
from corral.engine.domain.releases import is_same
from corral.engine.domain.slots.record import DOES_NOT_START, NOT_HEALTHY
from corral.engine.domain.slots.stage import KitStage

if TYPE_CHECKING:
    from corral.engine.domain.orders import KitOrder
    from corral.engine.domain.report import Transfer
    from corral.engine.domain.slots.record import GivenUpKit, Slots


class KitState(StrEnum):
    """How far the computer is with the release of the engine that it was told to run."""

    NONE = "none"
    READY_TO_DOWNLOAD = "ready-to-download"
    DOWNLOADING = "downloading"
    PAUSED = "paused"
    INSTALLING = "installing"
    INSTALLED = "installed"
    PROVING = "proving"
    CURRENT = "current"
    WENT_BACK = "went-back"
    FAILED = "failed"


@dataclass(frozen=True)
class KitReport:
    """The engine's own releases, as they are."""

    release: str
    """What runs."""
    state: KitState = KitState.NONE
    running: str | None = None
    """The root of the kit that what runs was started from; None of the package's release."""
    wanted: str | None = None
    attempt: int = 0
    transfer: Transfer | None = None
    code: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Trouble:
    """Why a step with a kit did not succeed; it is tried again."""

    code: str
    problem: str


_BY_STAGE = {
    KitStage.INSTALLING: KitState.INSTALLING,
    KitStage.INSTALLED: KitState.INSTALLED,
    KitStage.PROVING: KitState.PROVING,
    # What it was told to run did not work, and what is to run instead has not shown yet that it
    # does.
    KitStage.GOING_BACK: KitState.PROVING,
}


def kit_report(  # noqa: PLR0913 - all that is known of it
    order: KitOrder | None,
    slots: Slots,
    *,
    release: str,
    running: str | None,
    transfer: Transfer | None,
    trouble: Trouble | None = None,
) -> KitReport:
    """Say how it is with the ordered release."""
    if order is None:
        return KitReport(release, running=running)
    state, code, problem = _state(order, slots, release, transfer)
    if not code and trouble is not None:
        code, problem = trouble.code, trouble.problem
    return KitReport(release, state, running, order.release, order.attempt, transfer, code, problem)


def _state(
    order: KitOrder, slots: Slots, release: str, transfer: Transfer | None
) -> tuple[KitState, str, str]:
    given_up = slots.given_up
    by_stage = _BY_STAGE.get(slots.stage)
    if by_stage is not None:
        if slots.stage is KitStage.GOING_BACK and given_up is not None:
            return by_stage, given_up.code, given_up.problem
        return by_stage, "", ""
    if is_same(order.release, release):
        return KitState.CURRENT, "", ""
    if slots.stage is not KitStage.FETCHING and _is_held(order, given_up) and given_up is not None:
        is_tried = given_up.code in {NOT_HEALTHY, DOES_NOT_START}
        is_back = is_tried and slots.stage is not KitStage.FAILED
        state = KitState.WENT_BACK if is_back else KitState.FAILED
        return state, given_up.code, given_up.problem
    return _on_its_way(transfer)


def _is_held(order: KitOrder, given_up: GivenUpKit | None) -> bool:
    return (
        given_up is not None and given_up.root == order.root and order.attempt <= given_up.attempt
    )


def _on_its_way(transfer: Transfer | None) -> tuple[KitState, str, str]:
    if transfer is None:
        return KitState.READY_TO_DOWNLOAD, "", ""
    match transfer.state:
        case FetchState.NOT_YET | FetchState.NO_SOURCE:
            state = KitState.READY_TO_DOWNLOAD
        case FetchState.PAUSED:
            state = KitState.PAUSED
        case FetchState.HERE:
            state = KitState.INSTALLING
        case _:
            state = KitState.DOWNLOADING
    return state, transfer.code, transfer.problem
