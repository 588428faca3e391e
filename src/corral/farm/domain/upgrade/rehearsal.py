"""A whole upgrade, played with the real planner on a farm in which each step succeeds.

People are supposed to end what is in the way of it when nothing else is left to do, and to finalise
in the end. What the planner then does on the farm itself is the same, as long as nothing fails.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from corral.farm.domain.upgrade.adoption import blueprint_of
from corral.farm.domain.upgrade.assumed import accepted, ended
from corral.farm.domain.upgrade.blueprint import UpgradeNumber
from corral.farm.domain.upgrade.carried_out import carried_out
from corral.farm.domain.upgrade.look import Look
from corral.farm.domain.upgrade.obstacle import Obstacle
from corral.farm.domain.upgrade.plan import Plan, plan
from corral.farm.domain.upgrade.state import OVER, UpgradeEvent, UpgradeState, after
from corral.farm.domain.upgrade.touches import Touches

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from corral.farm.domain.library.manifest import ReleaseManifest
    from corral.farm.domain.upgrade.blueprint import Blueprint
    from corral.farm.domain.upgrade.carried_out import Move
    from corral.farm.domain.upgrade.inventory import Inventory
    from corral.farm.domain.upgrade.plan import Blocked
    from corral.farm.domain.upgrade.policy import Policy

LONGEST: Final = 2_000
"""More scenes than any farm needs: a rehearsal always ends."""
BY: Final = "rehearsal"


@dataclass(frozen=True)
class Scene:
    """One thing that happens. One of the four is said."""

    blueprint: Blueprint | None = None
    moves: tuple[Move, ...] = ()
    event: UpgradeEvent | None = None
    person: Blocked | None = None
    """What somebody has to end before it goes on."""
    waits_for: Blocked | None = None
    """What time ends."""
    evidence: str = ""
    stops: bool = False
    """Whether nothing can be supposed of how it goes on."""


def rehearse(
    policy: Policy,
    inventory: Inventory,
    history: Sequence[Blueprint],
    facts: ReleaseManifest,
    now: datetime,
) -> tuple[Scene, ...]:
    """Give all that would happen from here on."""
    stage = _Stage(policy, inventory, tuple(history), facts, now)
    found: list[Scene] = []
    while len(found) < LONGEST and stage.policy.state not in OVER:
        scene = stage.next()
        found.append(scene)
        if scene.stops:
            break
    return tuple(found)


@dataclass
class _Stage:
    policy: Policy
    inventory: Inventory
    history: tuple[Blueprint, ...]
    facts: ReleaseManifest
    now: datetime

    def next(self) -> Scene:
        """Play one scene."""
        came = plan(self.policy, self.inventory, self._touches(), self.facts, self.now)
        if came.step is not None:
            return self._step(came)
        if came.event is not None:
            return self._event(came)
        if self.policy.state is UpgradeState.AWAITING_FINALISE:
            self._take(UpgradeEvent.FINALISE)
            return Scene(event=UpgradeEvent.FINALISE, evidence="a person says so")
        if came.blocked:
            return self._person(came.blocked[0])
        return self._time(came)

    def _step(self, came: Plan) -> Scene:
        if came.step is None:
            message = "the plan has no step"
            raise ValueError(message)
        newest = self.history[-1] if self.history else None
        blueprint = blueprint_of(
            came.step,
            came.evidence,
            newest,
            self.inventory,
            upgrade=UpgradeNumber(0) if newest is None else newest.upgrade,
            farm_generation=1 + self._farm_generation(),
            now=self.now,
            by=BY,
        )
        look = self._look()
        schema = look.facts.schema(self.policy.new)
        self.inventory, moves = carried_out(self.inventory, blueprint, schema)
        self.history = (*self.history, blueprint)
        return Scene(blueprint=blueprint, moves=moves, evidence=came.evidence)

    def _touches(self) -> Touches:
        return Touches.of(self.history)

    def _look(self) -> Look:
        return Look(self.policy, self.inventory, self._touches(), self.facts, self.now)

    def _farm_generation(self) -> int:
        known = (one.farm_generation for one in self.history)
        seen = (one.configured for one in self.inventory.servers)
        return max([*known, *seen, 0])

    def _event(self, came: Plan) -> Scene:
        if came.event is None:
            message = "the plan has no event"
            raise ValueError(message)
        self._take(came.event)
        # What failed is for a person to look at: nothing can be supposed of what they find.
        stops = came.event is UpgradeEvent.PAUSE
        return Scene(event=came.event, evidence=came.evidence, stops=stops)

    def _take(self, event: UpgradeEvent) -> None:
        self.policy = replace(self.policy, state=after(self.policy.state, event))

    def _person(self, blocked: Blocked) -> Scene:
        look = self._look()
        if blocked.what.obstacle is Obstacle.UPGRADE_PAUSED:
            newest = self.history[-1].generation if self.history else 0
            self.policy = replace(self.policy, forgiven=newest)
            self._take(UpgradeEvent.RESUME)
            return Scene(person=blocked)
        inventory = ended(look, blocked.what)
        if inventory is not None:
            self.inventory = inventory
        elif blocked.can_be_accepted:
            self.policy = accepted(self.policy, look, blocked.what)
        else:
            return Scene(person=blocked, stops=True)
        return Scene(person=blocked)

    def _time(self, came: Plan) -> Scene:
        waits = came.waits_for[0] if came.waits_for else None
        obstacles = {one.what.obstacle for one in came.waits_for}
        if Obstacle.SOAKING in obstacles:
            soaking = next(one for one in came.waits_for if one.what.obstacle is Obstacle.SOAKING)
            self.policy = replace(self.policy, runs_since=self.now)
            self.now += self.policy.soak
            return Scene(waits_for=soaking)
        if self.history and obstacles & {Obstacle.STEP_UNDER_WAY, Obstacle.NOT_HEARD_SINCE}:
            self._end_what_was_begun()
            return Scene(waits_for=waits)
        return Scene(waits_for=waits, stops=True)

    def _end_what_was_begun(self) -> None:
        look = self._look()
        schema = look.facts.schema(self.policy.new)
        for blueprint in _last_of_each(self.history):
            self.inventory, _ = carried_out(self.inventory, blueprint, schema)


def _last_of_each(history: Sequence[Blueprint]) -> Iterator[Blueprint]:
    last = {one.step.server: one for one in history}
    yield from sorted(last.values(), key=lambda one: one.generation)
