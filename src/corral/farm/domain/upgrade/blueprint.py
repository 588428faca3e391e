"""A step of an upgrade as it was decided: one change, with what it was decided on.

A blueprint leaves nothing to choose to whoever carries it out. It is adopted only as the successor
of the newest one, so that two who plan at once cannot both go on.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NewType

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.domain.estate.server import ServerId
    from corral.farm.domain.library.release import Release

UpgradeNumber = NewType("UpgradeNumber", int)


class StepKind(StrEnum):
    """All that a step can be."""

    INSTALL = "install"
    """Lay a release out on a server's disk beside what runs; nothing is restarted."""
    EXPAND = "expand"
    """Add to the schema what the new release needs; the old one goes on."""
    REST = "rest"
    """A relay serves nothing, so that it never serves at another release than the farm's."""
    DRAIN = "drain"
    """A server gets no new devices, and those that it has move on by themselves."""
    SWITCH = "switch"
    """A drained server, or a resting relay, ends its services and starts those of a release."""
    CANARY = "canary"
    """A device's reads through the switched server are compared with what they should be."""
    SERVE = "serve"
    """The server gets devices again; the relay serves its site again."""
    CONTRACT = "contract"
    """Take from the schema what only the old release needs. There is no way back after it."""


@dataclass(frozen=True)
class Step:
    """One change."""

    kind: StepKind
    server: ServerId | None = None
    """None for what is done to the database."""
    release: Release | None = None
    """Of an install or a switch."""
    expects: Release | None = None
    """What the server must run for the step to be done at all; none if that does not matter."""


@dataclass(frozen=True)
class Blueprint:
    """A step that was adopted. Never changed afterwards."""

    upgrade: UpgradeNumber
    parent: int
    """The generation of the newest blueprint when it was planned; 0 if there was none."""
    generation: int
    """Counts all of the farm's blueprints, over all upgrades; also the number of the order that a
    server is given, so that it can refuse an older one."""
    epoch: int
    step: Step
    adopted_at: datetime
    farm_generation: int
    """That the farm had with it: a report by that configuration, or a later one, is newer than the
    touch."""
    by: str
    """Which worker adopted it, as ``by_worker`` names it."""
    evidence: str
    """What it was decided on, for people: where each device has a place, say."""


def by_worker(name: str) -> str:
    """Say of a worker that it adopted something."""
    return f"worker {name}"
