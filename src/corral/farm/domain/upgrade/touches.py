"""What the upgrade has done to each server so far, by the blueprints that were adopted.

What a server says counts only if it said it after its last touch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from corral.farm.domain.upgrade.blueprint import StepKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from corral.farm.domain.estate.server import ServerId
    from corral.farm.domain.library.release import Release
    from corral.farm.domain.upgrade.blueprint import Blueprint
    from corral.farm.domain.upgrade.inventory import SeenServer

ORDERS = frozenset({StepKind.INSTALL, StepKind.SWITCH, StepKind.REST})
"""Steps that a server does itself, and may fail in."""
DISTURBING = frozenset({StepKind.EXPAND, StepKind.REST, StepKind.DRAIN, StepKind.SWITCH})
"""Steps with which an upgrade begins. One that only looks at a server that was upgraded by hand,
and has it serve, is none."""


@dataclass
class Touched:
    """One server."""

    last: Blueprint | None = None
    drain: Blueprint | None = None
    """The last one that was not taken back by a later ``serve``."""
    serve: Blueprint | None = None
    install: Blueprint | None = None
    switch: Blueprint | None = None
    canary: Blueprint | None = None
    order: Blueprint | None = None
    """The last one that it does itself."""
    may_run: tuple[Release, ...] = ()
    """What it was ordered to run or seen to run; empty if the upgrade has not looked at it yet."""

    def add(self, blueprint: Blueprint) -> None:
        """Take the next one."""
        step = blueprint.step
        self.last = blueprint
        match step.kind:
            case StepKind.DRAIN:
                self.drain = blueprint
            case StepKind.SERVE:
                self.drain, self.serve = None, blueprint
            case StepKind.INSTALL:
                self.install = blueprint
            case StepKind.SWITCH:
                self.switch = blueprint
            case StepKind.CANARY:
                self.canary = blueprint
            case _:
                pass
        if step.kind in ORDERS:
            self.order = blueprint
        if step.kind is StepKind.SWITCH:
            self.may_run = tuple(one for one in (step.release, step.expects) if one is not None)
        elif step.expects is not None:
            self.may_run = (step.expects,)

    @property
    def was_switched(self) -> bool:
        """Whether it was told to switch since it last served."""
        before = max(0 if one is None else one.generation for one in (self.drain, self.serve))
        return self.switch is not None and self.switch.generation > before

    def is_stale(self, server: SeenServer) -> bool:
        """Whether the server's report is older than its last touch."""
        return self.last is not None and server.configured < self.last.farm_generation


@dataclass
class Touches:
    """All of them."""

    servers: dict[ServerId, Touched] = field(default_factory=dict)
    schema: Blueprint | None = None
    """The last step that changes the schema."""
    has_begun: bool = False
    """Whether anything was done but laying releases out."""
    epoch: int = 0

    @classmethod
    def of(cls, history: Iterable[Blueprint]) -> Touches:
        """Read an upgrade's blueprints, oldest first."""
        found = cls()
        for blueprint in history:
            found.add(blueprint)
        return found

    def add(self, blueprint: Blueprint) -> None:
        """Take the next one."""
        self.epoch = max(self.epoch, blueprint.epoch)
        step = blueprint.step
        self.has_begun = self.has_begun or step.kind in DISTURBING
        if step.server is None:
            self.schema = blueprint
        else:
            self.servers.setdefault(step.server, Touched()).add(blueprint)

    def on(self, server: ServerId) -> Touched:
        """Give what was done to a server."""
        return self.servers.get(server) or _NEVER


_NEVER = Touched()
