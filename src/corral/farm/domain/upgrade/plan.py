"""The next step of an upgrade, or why there is none. Pure, total, deterministic.

Nothing waits for the step before: each time the farm is looked at anew, and what was seen before
the last touch of a thing says nothing about it. That is how no crash leaves anything waiting for
what can never happen. No order of things is written down here but this one: what was begun is ended
first. Whether servers come before relays, or computers before servers, follows from facts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from corral.farm.domain.upgrade.circles import circles
from corral.farm.domain.upgrade.look import NOTHING, Candidate, InTheWay, Look, thing
from corral.farm.domain.upgrade.obstacle import Ends, Obstacle
from corral.farm.domain.upgrade.ordering import in_order
from corral.farm.domain.upgrade.preflight import consoles_behind
from corral.farm.domain.upgrade.relay_steps import of_relay
from corral.farm.domain.upgrade.schema_steps import contract, expand, is_contracted, not_all_there
from corral.farm.domain.upgrade.server_steps import attention, drain, finish, install, is_given_up
from corral.farm.domain.upgrade.state import OVER, STEPPING, TRANSITIONS, UpgradeEvent, UpgradeState
from corral.farm.domain.upgrade.watched import unreached

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from corral.farm.domain.estate.server import ServerId
    from corral.farm.domain.library.manifest import ReleaseManifest
    from corral.farm.domain.upgrade.blueprint import Step
    from corral.farm.domain.upgrade.inventory import Inventory
    from corral.farm.domain.upgrade.policy import Policy
    from corral.farm.domain.upgrade.touches import Touches

FAILURES: Final = frozenset(
    {Obstacle.ORDER_FAILED, Obstacle.CANARY_FAILED, Obstacle.SCHEMA_STEP_FAILED}
)
"""What pauses an upgrade, so that a person looks at it before anything else is risked."""


@dataclass(frozen=True)
class Blocked:
    """A step that would be taken, and what keeps it from being taken."""

    step: Step | None
    """None for what is not about one step."""
    what: InTheWay

    @property
    def risk(self) -> str:
        """``CODE THING``: what an acceptance names, if it can be accepted."""
        return self.what.risk

    @property
    def message(self) -> str:
        """The thing, and what is wrong with it."""
        return f"{self.what.thing}: {self.what.message}"

    @property
    def way_out(self) -> str:
        """What ends it."""
        return self.what.obstacle.way_out

    @property
    def can_be_accepted(self) -> bool:
        """Whether somebody can take the risk upon themselves."""
        return self.what.obstacle.can_be_accepted


@dataclass(frozen=True)
class Plan:
    """What comes next."""

    step: Step | None = None
    evidence: str = ""
    """What the step, or the event, was decided on, for people."""
    event: UpgradeEvent | None = None
    """What has happened to the upgrade itself, if no step comes first."""
    blocked: tuple[Blocked, ...] = ()
    """Everything that a person can end and that is in the way; the first matters most."""
    waits_for: tuple[Blocked, ...] = ()
    """What ends by itself: what was begun, and what has to come first."""
    is_all_there: bool = False
    """Whether everything was seen to serve the wanted release: ``Policy.runs_since`` runs."""


def plan(  # noqa: PLR0913 - the whole of what it depends on
    policy: Policy,
    inventory: Inventory,
    touches: Touches,
    facts: ReleaseManifest,
    now: datetime,
    *,
    without: frozenset[Obstacle] = NOTHING,
) -> Plan:
    """Decide on the next step.

    ``touches``: what the blueprints of this upgrade have done so far. ``facts``: the manifest of
    the new release. ``without``: guards that are switched off, which tests do and nobody else.
    """
    look = Look(policy, inventory, touches, facts, now, without)
    if policy.state in OVER:
        return Plan()
    whole = [*_of_the_whole(look)]
    if whole:
        return Plan(blocked=tuple(Blocked(None, one) for one in whole))
    if policy.state is UpgradeState.AWAITING_FINALISE:
        return _awaiting(look)
    candidates = [*_candidates(look)]
    is_all_there = not candidates and _is_all_there(look)
    blocked, waits = _sorted(candidates)
    if policy.state not in STEPPING:
        paused = InTheWay(Obstacle.UPGRADE_PAUSED, "farm", f"it is {policy.state}")
        if paused.obstacle not in without:
            return Plan(
                blocked=(Blocked(None, paused), *blocked),
                waits_for=waits,
                is_all_there=is_all_there,
            )
    broken = next((one for one in blocked if one.what.obstacle in FAILURES), None)
    if broken is not None and (policy.state, UpgradeEvent.PAUSE) in TRANSITIONS:
        return Plan(
            event=UpgradeEvent.PAUSE, evidence=broken.message, blocked=blocked, waits_for=waits
        )
    step = next((one for one in candidates if not one.in_the_way), None)
    if step is not None:
        return Plan(step.step, step.evidence, blocked=blocked, waits_for=waits)
    if candidates:
        return Plan(blocked=blocked, waits_for=waits)
    return _end(look, is_all_there=is_all_there)


def _of_the_whole(look: Look) -> Iterator[InTheWay]:
    """Say why nothing at all can be decided."""
    if not look.inventory.schema.is_reachable:
        yield from look.in_the_way(
            Obstacle.DATABASE_UNREACHABLE, "farm", "the database does not answer"
        )
    epoch = max(look.policy.epoch, look.touches.epoch)
    if look.inventory.epoch > epoch:
        yield from look.in_the_way(
            Obstacle.FARM_RESTORED,
            f"epoch {look.inventory.epoch}",
            f"the farm was restored from a backup, and the upgrade is of epoch {epoch}",
        )


def _candidates(look: Look) -> Iterator[Candidate]:
    """Give all that could be done, in the order in which it is: what was begun comes first."""
    everybody = (*look.servers, *look.relays)
    finishes = [one for server in look.servers for one in finish(look, server)]
    drains = [one for server in in_order(look) for one in drain(look, server)]
    relays = [one for relay in look.relays for one in of_relay(look, relay, [*finishes, *drains])]
    begun = {relay.id for relay in look.relays if relay.is_resting}
    yield from finishes
    yield from (one for one in relays if _of(one) in begun)
    for server in everybody:
        yield from install(look, server)
    yield from expand(look)
    yield from (one for one in relays if _of(one) not in begun)
    yield from drains
    for server in everybody:
        yield from attention(look, server)


def _sorted(
    candidates: Sequence[Candidate],
) -> tuple[tuple[Blocked, ...], tuple[Blocked, ...]]:
    """Split what is in the way by whether it ends by itself; each thing once, circles first."""
    told: set[tuple[str, str]] = set()
    persons: list[Blocked] = []
    waits: list[Blocked] = []
    for candidate in candidates:
        for one in candidate.in_the_way:
            key = (one.obstacle.code, one.thing)
            if key not in told:
                told.add(key)
                ends = one.obstacle.ends
                (waits if ends is Ends.ITSELF else persons).append(Blocked(candidate.step, one))
    first = [Blocked(None, one) for one in circles(candidates)]
    if len(persons) > 1:
        # What failed comes before what is merely in the way of what comes later.
        persons.sort(key=lambda one: one.what.obstacle not in FAILURES)
    return (*first, *persons), tuple(waits)


def _of(candidate: Candidate) -> ServerId | None:
    return None if candidate.step is None else candidate.step.server


def _is_all_there(look: Look) -> bool:
    return all(
        look.is_there(one) or (not one.is_online and is_given_up(look, one))
        for one in (*look.servers, *look.relays)
    )


def _end(look: Look, *, is_all_there: bool) -> Plan:
    """Nothing is left to be done to servers and relays."""
    is_final = look.policy.state is UpgradeState.FINALISING
    if is_final and is_contracted(look):
        return Plan(event=UpgradeEvent.CONTRACT, evidence="the schema was contracted")
    end = next(contract(look)) if is_final else _arrival(look, is_all_there=is_all_there)
    blocked, waits = _sorted([end])
    if end.in_the_way:
        return Plan(blocked=blocked, waits_for=waits, is_all_there=is_all_there)
    event = None if end.step is not None else UpgradeEvent.ARRIVE
    return Plan(end.step, end.evidence, event, is_all_there=is_all_there)


def _arrival(look: Look, *, is_all_there: bool) -> Candidate:
    waits: list[InTheWay] = []
    if not is_all_there:
        for one in (*look.servers, *look.relays):
            if not one.is_online:
                waits += unreached(look, one)
        waits += not_all_there(look)
    if look.leads_forward:
        since = look.policy.runs_since
        if since is None or look.now - since < look.policy.soak:
            words = "not yet" if since is None else f"since {since:%Y-%m-%d %H:%M:%S}"
            waits += look.in_the_way(
                Obstacle.SOAKING, "farm", f"everything runs {look.wanted}: {words}"
            )
        waits += consoles_behind(look)
    return Candidate(None, f"every server and relay was seen to serve {look.wanted}", tuple(waits))


def _awaiting(look: Look) -> Plan:
    """Nothing is done until a person finalises, unless a server is seen to have left."""
    for one in (*look.servers, *look.relays):
        if one.is_online and one.release not in (None, look.policy.new):
            return Plan(
                event=UpgradeEvent.LEAVE, evidence=f"{thing(one)} was seen to run {one.release}"
            )
    _, waits = _sorted([Candidate(None, "", tuple(not_all_there(look)))])
    return Plan(waits_for=waits, is_all_there=_is_all_there(look))
