"""The steps that a plan consists of, and the reasons why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from corral.engine.domain.machine.record import Machine


class Waiting(StrEnum):
    """Why nothing is done with a machine now."""

    NOTHING = "nothing"
    """It is as it should be."""
    CHUNKS = "chunks"
    """Its version is on its way."""
    DISK_PROCESS = "disk-process"
    """The disk process does not offer its version yet."""
    RESTART = "restart"
    """The new version is taken when it restarts."""
    TOOLS = "tools"
    """Guest tools are being installed; it restarts by itself after that."""
    PROOF = "proof"
    """It has not been healthy for long enough."""
    SHUTDOWN = "shutdown"
    """Its guest was asked to shut down."""
    PROCESS = "process"
    """Its process does not answer yet."""
    USER = "user"
    """It is to go, and its user still works with it."""
    VERSION = "version"
    """It is to run, and there is no version for it."""
    DISABLED = "disabled"
    """The farm forbids to start it."""
    FAILS = "fails"
    """It does not start, and is left alone until somebody asks or another version comes."""


@dataclass(frozen=True)
class Become:
    """Keep a changed record; nothing else happens."""

    machine: Machine


@dataclass(frozen=True)
class StartMachine:
    """Keep the record, then start the process as it says."""

    machine: Machine
    is_fresh: bool
    """The system disk is made anew."""


@dataclass(frozen=True)
class AskToShutDown:
    """Keep the record, then ask the guest."""

    machine: Machine


@dataclass(frozen=True)
class EndProcess:
    """End the process at once."""

    machine: Machine
    why: str


@dataclass(frozen=True)
class SuspendMachine:
    """Write the memory into the disk; the record says so afterwards."""

    machine: Machine


@dataclass(frozen=True)
class ContinueMachine:
    """Let it go on where it was halted."""

    machine: Machine


@dataclass(frozen=True)
class InstallTools:
    """Have its guest install the tools on the medium; done twice, it does no harm."""

    machine: Machine


@dataclass(frozen=True)
class RemoveMachine:
    """Throw its folder away, with what its user wrote."""

    machine: Machine


@dataclass(frozen=True)
class Wait:
    """Do nothing; look again when something has changed."""

    waiting: Waiting


Step: TypeAlias = (
    Become
    | StartMachine
    | AskToShutDown
    | EndProcess
    | SuspendMachine
    | ContinueMachine
    | InstallTools
    | RemoveMachine
    | Wait
)
