"""The next step of a relay, and when servers wait for relays.

A relay serves only while it fits to every server of the farm. If the new release says from which
relay on that is so, relays go on serving while servers are upgraded, and follow afterwards; if it
does not, they rest from before the first server is switched until they are switched themselves.
On the way back the same facts turn the order round.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.domain.upgrade.blueprint import Step, StepKind
from corral.farm.domain.upgrade.look import Candidate, once, thing
from corral.farm.domain.upgrade.obstacle import Obstacle
from corral.farm.domain.upgrade.preflight import before_anything
from corral.farm.domain.upgrade.watched import (
    failed,
    is_undone,
    unaccounted,
    under_way,
    unreached,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from corral.farm.domain.library.release import Release
    from corral.farm.domain.upgrade.inventory import SeenServer
    from corral.farm.domain.upgrade.look import InTheWay, Look


@once
def relays_in_the_way(look: Look) -> Iterator[InTheWay]:
    """Say which relays have to rest before a server is switched."""
    for relay in look.relays:
        if _must_rest(look, relay) and not _is_given_up(look, relay):
            is_resting = relay.is_resting and relay.is_online and not look.is_stale(relay)
            if not is_resting:
                yield from look.in_the_way(
                    Obstacle.RELAYS_FIRST,
                    thing(relay),
                    f"it runs {relay.release or 'an unknown release'}, and would serve beside"
                    f" {look.wanted}",
                    (thing(relay),),
                )


def of_relay(look: Look, relay: SeenServer, servers: Sequence[Candidate]) -> Iterator[Candidate]:
    """Give the next step of a relay; ``servers`` are those of the servers."""
    if not relay.is_online and _is_given_up(look, relay):
        return
    is_wanted = relay.release == look.wanted and not look.is_called_back(relay)
    if relay.is_resting:
        if is_wanted:
            yield _serve(look, relay)
        else:
            yield _turn_back(look, relay, servers) or _switch(look, relay)
    elif not is_wanted and _may_go(look):
        yield _rest(look, relay, f"the servers are at {look.wanted} or fit to it")
    elif _must_rest(look, relay) and any(_waits_for_relays_only(one) for one in servers):
        yield _rest(look, relay, f"{relay.release} does not fit to {look.wanted}")


def _rest(look: Look, relay: SeenServer, why: str) -> Candidate:
    waits = [*_of_itself(look, relay), *_before_switch(look, relay)]
    if not any(one.is_draining for one in look.servers):
        # A server that is out is not kept waiting for what has come up since.
        waits += before_anything(look)
    order = look.touched(relay).order
    is_asked = order is not None and order.step.kind is StepKind.REST
    if order is not None and is_asked and is_undone(look, relay, order):
        waits += under_way(look, relay, order)
    others = [one for one in look.relays if one.id != relay.id and not _must_rest(look, one)]
    if not _must_rest(look, relay):
        for other in others:
            is_silent = not other.is_online and not _is_given_up(look, other)
            if is_silent or other.is_resting or look.is_stale(other):
                waits += look.in_the_way(
                    Obstacle.REDUNDANCY_SPENT,
                    thing(relay),
                    f"{other.name} does not serve",
                    (thing(other),),
                )
    step = Step(StepKind.REST, relay.id, expects=relay.release)
    return Candidate(step, why, tuple(waits))


def _switch(look: Look, relay: SeenServer) -> Candidate:
    waits = [*_of_itself(look, relay), *_before_switch(look, relay)]
    order = look.touched(relay).switch
    if order is not None and order.step.release == look.wanted and is_undone(look, relay, order):
        waits += under_way(look, relay, order)
    if not _may_go(look):
        behind = [one for one in look.servers if not _fits(look, look.wanted, one)]
        waits += look.in_the_way(
            Obstacle.RELAY_DIFFERS,
            thing(relay),
            f"servers are not at {look.wanted} yet",
            [thing(one) for one in behind],
        )
    step = Step(StepKind.SWITCH, relay.id, look.wanted, relay.release)
    return Candidate(step, f"{relay.name} rests", tuple(waits))


def _serve(look: Look, relay: SeenServer) -> Candidate:
    waits = list(_of_itself(look, relay))
    if not relay.is_ready and relay.is_supervised:
        waits += look.in_the_way(
            Obstacle.NOT_READY, thing(relay), f"{relay.release} has not passed its self-test"
        )
    waits += _beside(look, relay)
    last = look.touched(relay).last
    if last is not None and last.step.kind is StepKind.SERVE and is_undone(look, relay, last):
        waits += under_way(look, relay, last)
    step = Step(StepKind.SERVE, relay.id, relay.release, relay.release)
    return Candidate(step, f"{relay.release} fits to every server", tuple(waits))


def _beside(look: Look, relay: SeenServer) -> Iterator[InTheWay]:
    differing = [one for one in look.servers if not _fits(look, relay.release, one)]
    if differing:
        yield from look.in_the_way(
            Obstacle.RELAY_DIFFERS,
            thing(relay),
            f"it runs {relay.release}, and {differing[0].name} runs"
            f" {differing[0].release or 'an unknown release'}",
            [thing(one) for one in differing],
        )


def _turn_back(look: Look, relay: SeenServer, servers: Sequence[Candidate]) -> Candidate | None:
    """Let a relay serve that rests for nothing: the servers it rests for cannot be switched."""
    switch = look.touched(relay).switch
    is_untouched = switch is None and relay.release == look.policy.old
    is_blocked = bool(servers) and all(one.needs_a_person for one in servers)
    is_out = any(one.is_draining for one in look.servers)
    fits_now = all(_fits(look, relay.release, one) for one in look.servers)
    if not (is_untouched and is_blocked and fits_now) or is_out:
        return None
    waits = list(_of_itself(look, relay))
    step = Step(StepKind.SERVE, relay.id, expects=relay.release)
    return Candidate(step, "no server can be switched now", tuple(waits))


def _of_itself(look: Look, relay: SeenServer) -> Iterator[InTheWay]:
    yield from unreached(look, relay)
    yield from failed(look, relay)
    yield from unaccounted(look, relay)


def _before_switch(look: Look, relay: SeenServer) -> Iterator[InTheWay]:
    if not relay.is_supervised:
        yield from look.in_the_way(
            Obstacle.SERVER_UNSUPERVISED, thing(relay), "nothing there can switch its release"
        )
    if look.wanted not in relay.installed and look.wanted != relay.release:
        yield from look.in_the_way(
            Obstacle.NOT_INSTALLED, thing(relay), f"{look.wanted} does not lie there"
        )
    if look.leads_forward and look.policy.old not in relay.installed:
        yield from look.in_the_way(
            Obstacle.WAY_BACK_MISSING, thing(relay), f"{look.policy.old} does not lie there"
        )


def _must_rest(look: Look, relay: SeenServer) -> bool:
    """Whether it could not serve beside a server at the wanted release."""
    return not look.facts.may_relay(relay.release, look.wanted)


def _may_go(look: Look) -> bool:
    """Whether a relay of the wanted release would fit to every server as it is."""
    return all(_fits(look, look.wanted, one) for one in look.servers)


def _fits(look: Look, relay: Release | None, server: SeenServer) -> bool:
    """Whether a relay may serve beside a server as it is, and as it may become yet."""
    switch = look.touched(server).switch
    if (
        switch is not None
        and look.is_called_back(server)
        and server.order < switch.generation
        and server.problem_of != switch.generation
        and not look.facts.may_relay(relay, switch.step.release)
    ):
        # An order that nobody has called back yet: it may be on its way.
        return False
    return look.facts.may_relay(relay, server.release)


def _is_given_up(look: Look, relay: SeenServer) -> bool:
    return not relay.is_online and not look.stands(Obstacle.SERVER_SILENT, thing(relay))


def _waits_for_relays_only(candidate: Candidate) -> bool:
    kinds = {one.obstacle for one in candidate.in_the_way}
    return kinds == {Obstacle.RELAYS_FIRST}
