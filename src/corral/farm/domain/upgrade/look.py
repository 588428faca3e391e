"""One look at a farm that is upgraded: all that the planner asks, asked once.

What is in the way is said through ``in_the_way``, so that what somebody has accepted, and nothing
else, is out of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Final, TypeVar, cast

from corral.farm.domain.upgrade.obstacle import Ends, Obstacle
from corral.farm.domain.upgrade.release_facts import ReleaseFacts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from corral.farm.domain.estate.server import ServerId
    from corral.farm.domain.library.manifest import ReleaseManifest
    from corral.farm.domain.library.release import Release
    from corral.farm.domain.upgrade.blueprint import Blueprint, Step
    from corral.farm.domain.upgrade.inventory import Canary, Inventory, SeenServer
    from corral.farm.domain.upgrade.policy import Policy
    from corral.farm.domain.upgrade.touches import Touched, Touches

NOTHING: Final[frozenset[Obstacle]] = frozenset()
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class InTheWay:
    """One thing that keeps a step from being taken."""

    obstacle: Obstacle
    thing: str
    """What it is about: ``server s1``, ``task 7``, ``computer laptop``."""
    message: str
    waits_on: tuple[str, ...] = ()
    """Things that have to move on first."""

    @property
    def risk(self) -> str:
        """What an acceptance names."""
        return f"{self.obstacle.code} {self.thing}"


@dataclass(frozen=True)
class Candidate:
    """A step that would be taken, if nothing stood in its way."""

    step: Step | None
    """None for the end of the upgrade, which is an event."""
    evidence: str
    in_the_way: tuple[InTheWay, ...] = ()

    @property
    def needs_a_person(self) -> bool:
        """Whether something stands in the way that does not end by itself."""
        return any(one.obstacle.ends is not Ends.ITSELF for one in self.in_the_way)


@dataclass(frozen=True)
class Look:
    """What was seen, what is wanted, and what was done."""

    policy: Policy
    inventory: Inventory
    touches: Touches
    """What the upgrade has done so far."""
    manifest: ReleaseManifest
    now: datetime
    without: frozenset[Obstacle] = field(default=NOTHING)
    """Guards that are switched off; nowhere but in tests that show what each is good for."""
    answers: dict[object, tuple[object, ...]] = field(
        default_factory=dict, compare=False, repr=False
    )
    """What ``once`` and ``once_each`` have asked already."""

    @cached_property
    def facts(self) -> ReleaseFacts:
        """What releases say of themselves."""
        return ReleaseFacts.of(self.manifest, self.inventory.known)

    def is_lost(self, blueprint: Blueprint) -> bool:
        """Whether nobody carries out a step that is a worker's own to do: it is taken anew.

        Its worker is gone, or the farm was restored since: what was looked at before is no longer
        so, and the new records may know nothing of what it relied on.
        """
        if blueprint.epoch != self.inventory.epoch:
            return True
        workers = self.inventory.workers
        return workers is not None and blueprint.by not in workers

    @cached_property
    def servers(self) -> tuple[SeenServer, ...]:
        """Those that stream, by name."""
        streams = (one for one in self.inventory.servers if not one.is_relay)
        return tuple(sorted(map(self._taken, streams), key=lambda one: one.name))

    @cached_property
    def relays(self) -> tuple[SeenServer, ...]:
        """By name."""
        relays = (one for one in self.inventory.servers if one.is_relay)
        return tuple(sorted(map(self._taken, relays), key=lambda one: one.name))

    def _taken(self, server: SeenServer) -> SeenServer:
        """Take one that does not say what it runs for what the upgrade left it at, if accepted."""
        if server.release is not None or self.stands(Obstacle.RELEASE_UNKNOWN, thing(server)):
            return server
        touched = self.touched(server)
        may_run, switch = touched.may_run, touched.switch
        has_obeyed = switch is not None and server.order >= switch.generation
        is_known = len(may_run) == 1 or (bool(may_run) and has_obeyed)
        return replace(server, release=may_run[0] if is_known else self.other)

    def is_unsaid(self, server: SeenServer) -> bool:
        """Whether it does not say what it runs, whatever it is taken for."""
        return server.id in self._unsaid

    @cached_property
    def _unsaid(self) -> frozenset[ServerId]:
        return frozenset(one.id for one in self.inventory.servers if one.release is None)

    @cached_property
    def _accepted(self) -> frozenset[str]:
        said = self.policy.acceptances
        return frozenset(one.risk for one in said if one.covers(one.risk, self.now))

    @cached_property
    def _canaries(self) -> dict[ServerId, Canary]:
        return {one.server: one for one in self.inventory.canaries}

    @cached_property
    def wanted(self) -> Release:
        """The release that steps lead to."""
        return self.policy.wanted

    @cached_property
    def leads_forward(self) -> bool:
        """Whether that is the new one."""
        return self.policy.state.leads_forward

    @property
    def other(self) -> Release:
        """The release that steps lead away from."""
        return self.policy.old if self.leads_forward else self.policy.new

    def is_off(self, guard: Obstacle) -> bool:
        """Whether a test has switched a guard off."""
        return bool(self.without) and guard in self.without

    def stands(self, obstacle: Obstacle, thing: str) -> bool:
        """Whether it would be in the way: nobody has accepted it."""
        if self.is_off(obstacle):
            return False
        can_be = obstacle.can_be_accepted and bool(self._accepted)
        return not (can_be and f"{obstacle.code} {thing}" in self._accepted)

    def in_the_way(
        self, obstacle: Obstacle, thing: str, message: str, waits_on: Iterable[str] = ()
    ) -> tuple[InTheWay, ...]:
        """Say it, unless somebody has accepted it."""
        if not self.stands(obstacle, thing):
            return ()
        return (InTheWay(obstacle, thing, message, tuple(waits_on)),)

    @cached_property
    def _touched(self) -> dict[str, Touched]:
        return {one.name: self.touches.on(one.id) for one in self.inventory.servers}

    def touched(self, server: SeenServer) -> Touched:
        """Give what the upgrade has done to a server so far."""
        return self._touched[server.name]

    def canary(self, server: ServerId) -> Canary | None:
        """Give the last that was read through a server."""
        return self._canaries.get(server)

    def is_stale(self, server: SeenServer) -> bool:
        """Whether a server has said nothing since it was last touched."""
        is_stale = self.touched(server).is_stale(server)
        return is_stale and not self.is_off(Obstacle.NOT_HEARD_SINCE)

    def is_verified(self, server: SeenServer) -> bool:
        """Whether reads through it were right since it last changed its release."""
        touched = self.touched(server)
        if touched.switch is None and server.release == self.policy.old:
            return True
        canary = self.canary(server.id)
        since = 0 if touched.switch is None else touched.switch.generation
        return (
            canary is not None
            and canary.release == server.release
            and canary.blueprint >= since
            and not canary.problem
        ) or self.is_off(Obstacle.UNVERIFIED)

    def is_called_back(self, server: SeenServer) -> bool:
        """Whether its last order to switch leads elsewhere: it may still be carried out."""
        switch = self.touched(server).switch
        return switch is not None and switch.step.release != self.wanted

    def is_there(self, server: SeenServer) -> bool:
        """Whether it was seen to serve at the wanted release, after its last touch."""
        return (
            server.is_online
            and not self.is_stale(server)
            and server.release == self.wanted
            and not self.is_called_back(server)
            and (server.is_ready or self.is_off(Obstacle.NOT_READY))
            and not server.is_in_maintenance
            and not (server.is_resting if server.is_relay else server.is_draining)
            and (server.is_relay or self.is_verified(server))
        )


def once(
    question: Callable[[Look], Iterable[Answer]],
) -> Callable[[Look], tuple[Answer, ...]]:
    """Ask something of the whole farm once in a look, however many candidates it matters to."""

    @wraps(question)
    def ask(look: Look) -> tuple[Answer, ...]:
        found = look.answers.get(question)
        if found is None:
            found = look.answers[question] = tuple(question(look))
        return cast("tuple[Answer, ...]", found)

    return ask


def once_each(
    question: Callable[[Look, SeenServer], Iterable[Answer]],
) -> Callable[[Look, SeenServer], tuple[Answer, ...]]:
    """Ask something of a server once in a look."""

    @wraps(question)
    def ask(look: Look, server: SeenServer) -> tuple[Answer, ...]:
        key = (question, server.name)
        found = look.answers.get(key)
        if found is None:
            found = look.answers[key] = tuple(question(look, server))
        return cast("tuple[Answer, ...]", found)

    return ask


def thing(server: SeenServer) -> str:
    """Give what an acceptance calls a server."""
    return f"{'relay' if server.is_relay else 'server'} {server.name}"
