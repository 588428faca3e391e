"""What the engine says of its machines: computed from what is, never from what was wished."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from corral.engine.domain.fetching import FetchState
from corral.engine.domain.machine.plan import is_held
from corral.engine.domain.machine.record import Mode
from corral.engine.domain.machine.seen import Power
from corral.engine.domain.machine.stage import Stage
from corral.engine.domain.machine.tools_record import ToolsStage
from corral.engine.domain.releases import is_older

if TYPE_CHECKING:
    from collections.abc import Mapping

    from corral.engine.domain.machine.record import Machine
    from corral.engine.domain.machine.seen import Abilities, MachineOrder, Seen


class MachineState(StrEnum):
    """How far the computer is with the version that it was told to have."""

    READY_TO_DOWNLOAD = "ready-to-download"
    DOWNLOADING = "downloading"
    PAUSED = "paused"
    PREPARING = "preparing"
    WAITING_FOR_RESTART = "waiting-for-restart"
    PROVING = "proving"
    PROVEN = "proven"
    WENT_BACK = "went-back"
    HELD = "held"
    FAILED = "failed"


IMAGE_FORMAT: Final = "image-format"
NO_ROOM: Final = "no-room"


@dataclass(frozen=True)
class Transfer:
    """How far the fetching of one version is."""

    state: FetchState
    done_bytes: int = 0
    total_bytes: int = 0
    rate: int = 0
    code: str = ""
    problem: str = ""
    """Why it does not go on; it is tried again."""


@dataclass(frozen=True)
class Report:
    """One virtual machine, as it is."""

    state: MachineState
    code: str = ""
    problem: str = ""
    wanted: str | None = None
    attempt: int = 0
    transfer: Transfer | None = None
    is_running: bool = False
    running: str | None = None
    restart_in: float | None = None
    """Seconds until it is restarted to take a new version; None if that is up to its user."""
    guest_tools: str | None = None
    needs_tools_by_hand: bool = False


def report(
    order: MachineOrder | None,
    machine: Machine,
    seen: Seen,
    transfers: Mapping[str, Transfer],
    abilities: Abilities,
) -> Report:
    """Say how it is with one machine."""
    is_running = seen.power not in {Power.OFF, Power.SHUT_DOWN, Power.PANICKED}
    transfer = _transfer_of(order, machine, transfers)
    state, code, problem = _state(order, machine, transfer, abilities)
    tools = machine.tools
    if not code and tools is not None and tools.stage is ToolsStage.GIVEN_UP:
        code, problem = tools.code, tools.problem
    return Report(
        state=state,
        code=code,
        problem=problem,
        wanted=None if order is None else order.version.root,
        attempt=0 if order is None else order.version.attempt,
        transfer=transfer,
        is_running=is_running,
        running=seen.root if is_running else None,
        # What it said before its last start may not be so any more.
        guest_tools=seen.guest_tools if is_running else machine.guest_tools,
        needs_tools_by_hand=needs_tools_by_hand(machine, abilities),
    )


def needs_tools_by_hand(machine: Machine, abilities: Abilities) -> bool:
    """Whether somebody has to bring a machine's guest tools up to date.

    Those of a shared one are brought by the engine, unless that did not work. A custom or local one
    has a disk of its own, which nobody changes unasked.
    """
    tools = machine.tools
    is_put_back = tools is not None and tools.stage is ToolsStage.GIVEN_UP
    is_by_hand = machine.mode is not Mode.SHARED or is_put_back
    return is_by_hand and is_older(machine.guest_tools, abilities.guest_tools)


def _transfer_of(
    order: MachineOrder | None, machine: Machine, transfers: Mapping[str, Transfer]
) -> Transfer | None:
    if machine.candidate is not None:
        return transfers.get(machine.candidate.root)
    if machine.current is not None and machine.current.root in transfers:
        return transfers[machine.current.root]
    return None if order is None else transfers.get(order.version.root)


def _state(
    order: MachineOrder | None,
    machine: Machine,
    transfer: Transfer | None,
    abilities: Abilities,
) -> tuple[MachineState, str, str]:
    if machine.mode is Mode.LOCAL or machine.is_base_locked:
        if machine.stage is Stage.FAILED:
            return MachineState.FAILED, machine.code, machine.problem
        return MachineState.PROVEN, "", ""
    if order is not None and is_held(order, abilities):
        version = order.version
        problem = f"{version.name} has image format {version.image_format}: upgrade the engine"
        return MachineState.HELD, IMAGE_FORMAT, problem
    if machine.stage is Stage.FAILED:
        return MachineState.FAILED, machine.code, machine.problem
    return _by_stage(order, machine, transfer)


def _by_stage(
    order: MachineOrder | None, machine: Machine, transfer: Transfer | None
) -> tuple[MachineState, str, str]:
    given_up = machine.given_up
    match machine.stage:
        case Stage.GOING_BACK | Stage.RETURNING if given_up is not None:
            return MachineState.PROVING, given_up.code, given_up.problem
        case Stage.PROVEN | Stage.WENT_BACK if (
            given_up is not None and order is not None and given_up.root == order.version.root
        ):
            return MachineState.WENT_BACK, given_up.code, given_up.problem
        case Stage.PREPARING:
            return MachineState.PREPARING, "", ""
        case Stage.READY:
            return MachineState.WAITING_FOR_RESTART, "", ""
        case Stage.PROVING if transfer is None or transfer.state is FetchState.HERE:
            return MachineState.PROVING, "", ""
        case Stage.PROVEN | Stage.WENT_BACK if transfer is None or (
            transfer.state is FetchState.HERE
        ):
            return MachineState.PROVEN, "", ""
        case _:
            return _on_its_way(transfer)


def _on_its_way(transfer: Transfer | None) -> tuple[MachineState, str, str]:
    if transfer is None:
        return MachineState.READY_TO_DOWNLOAD, "", ""
    match transfer.state:
        case FetchState.NOT_YET | FetchState.NO_SOURCE:
            state = MachineState.READY_TO_DOWNLOAD
        case FetchState.PAUSED:
            state = MachineState.PAUSED
        case _ if transfer.code == NO_ROOM:
            state = MachineState.HELD
        case _:
            state = MachineState.DOWNLOADING
    return state, transfer.code, transfer.problem
