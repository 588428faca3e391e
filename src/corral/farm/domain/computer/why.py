"""Why what a computer runs is not what is assigned: a closed list, and one function.

In the order in which the reasons are looked for; the first that holds is given, so that each
machine has one answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from corral.farm.domain.computer.check_in import KitState, MachineState

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from corral.farm.domain.computer.check_in import CheckIn, SeenMachine
    from corral.farm.domain.image.root import RootHash


class Why(StrEnum):
    """Every reason that there is."""

    NO_VERSION = "no-version"
    """No version of the image may be started by this user yet."""
    NO_COMPUTER = "no-computer"
    """The user has no computer that is registered."""
    BLOCKED = "blocked"
    """Something forbids it: the code names the fact."""
    NOT_CHECKED_IN = "not-checked-in"
    """The computer has not been heard of since this was assigned."""
    READY_TO_DOWNLOAD = "ready-to-download"
    """The computer knows of it, and who should give it has not got all of it yet."""
    DOWNLOADING = "downloading"
    """It fetches chunks; how many it has is said."""
    PAUSED = "paused"
    """It would fetch, and was told not to for now."""
    PREPARING = "preparing"
    """All is there, and is made ready beside what runs."""
    WAITING_FOR_VM_RESTART = "waiting-for-vm-restart"
    """It is ready, and taken when the virtual machine starts the next time."""
    WAITING_FOR_COMPUTER_RESTART = "waiting-for-computer-restart"
    """It needs the engine's next release, which is installed and taken at the next restart."""
    FAILED = "failed"
    """The engine could not go on by itself; the code and the text say why."""
    WENT_BACK = "went-back"
    """The version did not prove itself there: the one before runs until somebody says to retry."""


@dataclass(frozen=True)
class Block:
    """A fact that forbids a computer to have a version."""

    fact: str
    """The fact's id, in kebab case."""
    text: str
    """The same for people, with what ends it."""
    ends_at_restart: bool = False
    """The engine's release that is installed already, and waits for a restart, ends it."""


@dataclass(frozen=True)
class Difference:
    """Why, since when, and how far it is."""

    why: Why
    since: datetime | None = None
    """When the computer was last heard of; none if it never was."""
    until: datetime | None = None
    """When the wait is expected to end, if that is known."""
    done_bytes: int = 0
    total_bytes: int = 0
    rate: int = 0
    """Bytes a second."""
    code: str = ""
    """The fact, or the engine's own word for the problem."""
    text: str = ""

    @property
    def percent(self) -> int | None:
        """How much is there; 100 only when all is."""
        if not self.total_bytes:
            return None
        if self.done_bytes >= self.total_bytes:
            return 100
        return 100 * self.done_bytes // self.total_bytes


# What an engine says of a version that it was told of, and does not run.
_OF_STATE: Final[Mapping[MachineState, Why]] = MappingProxyType(
    {
        MachineState.READY_TO_DOWNLOAD: Why.READY_TO_DOWNLOAD,
        MachineState.DOWNLOADING: Why.DOWNLOADING,
        MachineState.PAUSED: Why.PAUSED,
        MachineState.PREPARING: Why.PREPARING,
        MachineState.WAITING_FOR_RESTART: Why.WAITING_FOR_VM_RESTART,
        # It proved itself, or is about to, and an older one is running again: the next start
        # takes it.
        MachineState.PROVING: Why.WAITING_FOR_VM_RESTART,
        MachineState.PROVEN: Why.WAITING_FOR_VM_RESTART,
        MachineState.WENT_BACK: Why.WENT_BACK,
        MachineState.HELD: Why.BLOCKED,
        MachineState.FAILED: Why.FAILED,
    }
)


@dataclass(frozen=True)
class Aim:
    """What a computer should have of one image for one user."""

    root: RootHash
    attempt: int = 0
    block: Block | None = None
    arrives_at: datetime | None = None
    """When whoever should give it to the computer is expected to have all of it."""
    waits_for: str = ""
    """Why nobody who should give it to the computer does, for people."""


def why_differs(
    aim: Aim | None, said: CheckIn | None, machine: SeenMachine | None
) -> Difference | None:
    """Say why ``machine``, by what was last ``said``, is not at ``aim``; none if it is.

    Of a machine that has no aim, which is nothing that somebody waits for, nothing is said.
    """
    if aim is None:
        return None
    if machine is not None and machine.runs == aim.root:
        return None
    since = None if said is None else said.at
    if aim.block is not None:
        return _blocked(aim.block, said)
    if (
        said is None
        or machine is None
        or (machine.wanted, machine.attempt)
        != (
            aim.root,
            aim.attempt,
        )
    ):
        return Difference(Why.NOT_CHECKED_IN, since)
    why = _OF_STATE[machine.state]
    until = None
    if why is Why.READY_TO_DOWNLOAD:
        until = aim.arrives_at
    if why is Why.WAITING_FOR_VM_RESTART:
        until = machine.postponed_until
    text = machine.problem
    if why is Why.READY_TO_DOWNLOAD:
        text = aim.waits_for or text
    return Difference(
        why,
        since,
        until,
        machine.done_bytes,
        machine.total_bytes,
        machine.rate,
        machine.code,
        text,
    )


def _blocked(block: Block, said: CheckIn | None) -> Difference:
    since = None if said is None else said.at
    waits = said is not None and said.kit.state is KitState.INSTALLED and block.ends_at_restart
    why = Why.WAITING_FOR_COMPUTER_RESTART if waits else Why.BLOCKED
    return Difference(why, since, code=block.fact, text=block.text)
