"""What is seen of one virtual machine and of the versions on this computer."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from corral.engine.domain.machine.record import Policy, Version
    from corral.engine.domain.moment import Moment


class Power(StrEnum):
    """What a virtual machine's process does."""

    OFF = "off"
    """There is no such process, and none is being started."""
    UNREACHABLE = "unreachable"
    """There is one, which does not answer: it is starting, ending, or hangs."""
    RUNNING = "running"
    PAUSED = "paused"
    SHUT_DOWN = "shut-down"
    """Its guest has switched it off; the process waits to be told to end."""
    PANICKED = "panicked"


class Installing(StrEnum):
    """How it is with guest tools that a guest was told to install."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class Seen:
    """One look at a virtual machine and at what it needs."""

    power: Power = Power.OFF
    was_reset: bool = False
    """Its guest restarted itself since it was started."""
    root: str | None = None
    """Attested: the version that the disk of the running process reads from."""
    is_healthy: bool | None = None
    """What its guest agent says now; None while nothing was heard since the process was found."""
    healthy_since: Moment | None = None
    """Since when without a break."""
    boot_milliseconds: int | None = None
    guest_tools: str | None = None
    installing: Installing | None = None
    installing_problem: str = ""
    held_roots: frozenset[str] = frozenset()
    """Versions of which every chunk is here."""
    served_roots: frozenset[str] = frozenset()
    """Versions that the disk process offers; parts may still come from elsewhere."""
    has_own_disk: bool = False
    """Its own overlay, or its own disk, exists."""


@dataclass(frozen=True)
class MachineOrder:
    """What the farm wants of one virtual machine."""

    version: Version
    policy: Policy
    is_staged: bool = False
    is_disabled: bool = False
    is_paused: bool = False


@dataclass(frozen=True)
class Abilities:
    """What this engine can do; orders beyond it are held."""

    image_formats: frozenset[int] = field(default_factory=lambda: frozenset({1}))
    guest_tools: str | None = None
    """Those that it brings along; None of an engine that brings none."""
