"""Upgrades of the farm, as the API tells them."""

from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, Field

from corral.wire.message import Message, Name, Part


class Hindrance(Part):
    """One thing that is in the way of an upgrade."""

    code: str
    """Stable; the table is in the reference."""
    object: str
    """What it is about, such as ``computer laptop``."""
    message: str
    way_out: str
    can_be_accepted: bool = False
    """Whether somebody can take the risk, by ``CODE OBJECT``."""


class AcceptedRisk(Part):
    """A risk that somebody has taken."""

    risk: str
    by: str
    until: datetime
    because: str
    accepted_at: datetime
    in_force: bool


class Console(Part):
    """A command line that somebody has worked with."""

    who: str
    """``ann@desk``: who, and on which machine."""
    release: str | None
    """That was used there last."""
    seen_at: datetime


class UpgradeCheck(Message):
    """The answer to ``GET /v1/upgrade/check``."""

    kit: Name
    now: str
    """The farm's release."""
    to: str
    """The kit's."""
    at: datetime
    clear: bool
    """Nothing is in the way."""
    hindrances: tuple[Hindrance, ...]
    """In the order in which to take them out of it."""
    accepted: tuple[AcceptedRisk, ...] = ()
    """What would be in the way, had not somebody taken the risk."""
    to_republish: tuple[Name, ...] = ()
    """Images that are worth publishing anew after it, for newer guest tools."""
    consoles: tuple[Console, ...] = ()
    """The command lines that people have worked with in the last seven days."""


class NewUpgrade(Message):
    """The body of ``POST /v1/upgrade``."""

    kit: Name
    soak_seconds: Annotated[int, Field(ge=0, le=30 * 86_400)] = 3600
    """How long everything runs the new release before it can be finalised."""
    first: Annotated[tuple[Name, ...], Field(max_length=1000)] = ()
    """Servers to begin with."""


class UpgradeMove(Message):
    """The body of what moves an upgrade."""

    why: Annotated[str, Field(max_length=1024)] = ""
    """For the others."""


class Upgrade(Part):
    """An upgrade of the farm."""

    number: int
    kit: Name
    old: str
    new: str
    state: str
    why: str
    started_at: datetime
    started_by: str
    changed_at: datetime
    soak_seconds: int
    first: tuple[Name, ...]
    revision: int


class UpgradeList(Message):
    """The answer to ``GET /v1/upgrade/list``, oldest first."""

    upgrades: tuple[Upgrade, ...]


class UpgradeStep(Part):
    """One change."""

    kind: str
    server: Name | None = None
    """None for what is done to the database."""
    release: str | None = None


class AdoptedStep(UpgradeStep):
    """One that was taken."""

    generation: int
    adopted_at: datetime
    by: str
    evidence: str
    """What it was decided on."""


class BlockedStep(Part):
    """What is not done now."""

    step: UpgradeStep | None
    """None for what is not about one step."""
    risk: str
    """By which it is accepted, if it can be."""
    message: str
    way_out: str
    can_be_accepted: bool


class UpgradedServer(Part):
    """A server, as it was last heard of."""

    server: Name
    relay: bool
    online: bool
    release: str | None
    """What it runs; none if it never said."""
    installed: tuple[str, ...]
    order: int
    ready: bool
    draining: bool
    resting: bool
    sessions: int
    problem: str


class NewAcceptance(Message):
    """The body of ``POST /v1/upgrade/risks``."""

    risk: Annotated[str, Field(max_length=255)]
    """A code and what it is about, as the status names it."""
    until: AwareDatetime
    because: Annotated[str, Field(min_length=1, max_length=1024)]


class AcceptanceList(Message):
    """The answer to ``GET /v1/upgrade/risks``."""

    risks: tuple[AcceptedRisk, ...]


class UpgradeStatus(Message):
    """The answer to ``GET /v1/upgrade``: how far it is, and what it waits for."""

    upgrade: Upgrade
    next: UpgradeStep | None
    """What is decided on now."""
    evidence: str
    untaken: str = ""
    """Why no worker that lives can take the next step; empty if one can."""
    waits_for: tuple[BlockedStep, ...]
    """What ends by itself: what was begun, and what comes first."""
    blocked: tuple[BlockedStep, ...]
    """What somebody can end; what matters most comes first."""
    servers: tuple[UpgradedServer, ...]
    steps: tuple[AdoptedStep, ...]
    """Those that were taken, oldest first."""
    risks: tuple[AcceptedRisk, ...]


class UpgradePlan(Message):
    """The answer to ``GET /v1/upgrade/plan``."""

    kit: Name
    text: str
    """For people."""
