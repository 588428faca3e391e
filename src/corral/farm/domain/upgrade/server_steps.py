"""The next step of a server that streams, from what it was seen to be.

Whatever was begun before, the answer is found anew: a server that came back serving in the middle
is drained again, one that drains for nothing serves again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.domain.delivery.safety import unsafe_without
from corral.farm.domain.naming import some_of
from corral.farm.domain.upgrade.blueprint import Step, StepKind
from corral.farm.domain.upgrade.look import Candidate, once, once_each, thing
from corral.farm.domain.upgrade.obstacle import Obstacle
from corral.farm.domain.upgrade.ordering import named_first
from corral.farm.domain.upgrade.preflight import before_anything, before_server, before_way_back
from corral.farm.domain.upgrade.relay_steps import relays_in_the_way
from corral.farm.domain.upgrade.watched import (
    failed,
    is_undone,
    silent,
    unaccounted,
    under_way,
    unreached,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from corral.farm.domain.delivery.safety import Stranded
    from corral.farm.domain.upgrade.inventory import SeenServer
    from corral.farm.domain.upgrade.look import InTheWay, Look


def install(look: Look, server: SeenServer) -> Iterator[Candidate]:
    """Lay out what a server, or a relay, lacks: the wanted release, and the way back."""
    if server.release == look.wanted or (not server.is_online and is_given_up(look, server)):
        return
    lacking = [look.wanted] if look.wanted not in server.installed else []
    if look.leads_forward and look.policy.old not in server.installed:
        lacking.append(look.policy.old)
    for release in lacking[:1]:
        step = Step(StepKind.INSTALL, server.id, release)
        yield Candidate(
            step,
            f"{release} does not lie on {server.name}",
            tuple(_install_waits(look, server, step)),
        )


def _install_waits(look: Look, server: SeenServer, step: Step) -> Iterator[InTheWay]:
    yield from unreached(look, server)
    yield from failed(look, server)
    if not server.is_supervised:
        yield from look.in_the_way(
            Obstacle.SERVER_UNSUPERVISED, thing(server), "nothing there can install a release"
        )
    order = look.touched(server).install
    if order is not None and order.step == step and is_undone(look, server, order):
        yield from under_way(look, server, order)
    if step.release not in server.staged:
        is_way_back = step.release != look.wanted
        yield from look.in_the_way(
            Obstacle.WAY_BACK_MISSING if is_way_back else Obstacle.KIT_NOT_STAGED,
            thing(server),
            f"not all of the kit of {step.release} is on its disk",
        )


def finish(look: Look, server: SeenServer) -> Iterator[Candidate]:
    """Go on with a server that is out, or that serves what nobody has verified."""
    if not server.is_online and is_given_up(look, server):
        return
    if server.is_draining:
        if server.release == look.wanted and not look.is_called_back(server):
            yield _bring_back(look, server)
            return
        switch = _switch(look, server)
        yield _turn_back(look, server, switch) or switch
    elif server.release == look.wanted and not look.is_called_back(server):
        # Somebody upgraded it by hand, and it serves: it is looked at while it does.
        yield from () if look.is_verified(server) else (_canary(look, server),)


def drain(look: Look, server: SeenServer) -> Iterator[Candidate]:
    """Begin with a server that serves something else than what is wanted."""
    if server.is_draining or (server.release == look.wanted and not look.is_called_back(server)):
        return
    if not server.is_online and is_given_up(look, server):
        return
    step = Step(StepKind.DRAIN, server.id, expects=server.release)
    waits = [
        *before_anything(look),
        *_of_itself(look, server),
        *before_server(look, server),
        *_before_switch(look, server),
        *relays_in_the_way(look),
        *_first_ones(look, server),
        *others_out(look, server),
    ]
    # On the way back it may be the release itself that never gets ready.
    if look.leads_forward:
        waits += _ready(look, server)
    evidence = "other servers are out"
    if not any(one.obstacle is Obstacle.REDUNDANCY_SPENT for one in waits):
        stranded = unsafe_without(look.inventory.placement, server.id)
        waits += _unsafe(look, server, stranded)
        evidence = _proof(look, server, stranded)
    yield Candidate(step, evidence, tuple(waits))


def _unsafe(look: Look, server: SeenServer, stranded: Sequence[Stranded]) -> Iterator[InTheWay]:
    """Say which devices would be without a server, now or after a further loss."""
    for obstacle, these in (
        (Obstacle.DEVICES_STRANDED, [one for one in stranded if one.lost is None]),
        (Obstacle.DEVICES_AT_RISK, [one for one in stranded if one.lost is not None]),
    ):
        if these:
            names = some_of([str(one) for one in these])
            yield from look.in_the_way(obstacle, thing(server), names, _closed(look, server))


def _proof(look: Look, server: SeenServer, stranded: Sequence[Stranded]) -> str:
    count = sum(1 for one in look.inventory.placement.devices if one.streams_from(server.id))
    if not count:
        return "no device reads from it"
    if stranded:
        return f"of its {count} devices {len(stranded)} would be at risk, which was accepted"
    return f"each of its {count} devices has a place elsewhere, also if one more server is lost"


def attention(look: Look, server: SeenServer) -> Iterator[Candidate]:
    """Name what only a person can end of a server that is out, also if nothing is to be done to it.

    Others wait for it.
    """
    waits: list[InTheWay] = []
    if not server.is_online:
        waits += silent(look, server)
    waits += _maintenance(look, server)
    waits += _drained_by_hand(look, server)
    if waits:
        yield Candidate(None, "", tuple(waits))


def others_out(look: Look, server: SeenServer) -> Iterator[InTheWay]:
    """Say which other servers are out already, or may be."""
    for other, why in _spent_ones(look):
        if other.id != server.id:
            yield from look.in_the_way(
                Obstacle.REDUNDANCY_SPENT, thing(server), f"{other.name} {why}", (thing(other),)
            )


def is_given_up(look: Look, server: SeenServer) -> bool:
    """Whether somebody has accepted that a silent server is left as it is."""
    is_silent = Obstacle.SERVER_SILENT
    return not look.stands(is_silent, thing(server)) and not look.is_off(is_silent)


@once
def _spent_ones(look: Look) -> Iterator[tuple[SeenServer, str]]:
    """Give the servers that do not count where redundancy does, with why."""
    for server in look.servers:
        why = _spent(look, server)
        if why:
            yield server, why


def _spent(look: Look, server: SeenServer) -> str:
    """Why a server does not count where redundancy does; empty if it does."""
    if not server.is_online:
        return "" if is_given_up(look, server) else "is silent"
    if server.is_draining:
        return "is drained"
    if server.is_in_maintenance:
        return "is under maintenance"
    if look.is_stale(server):
        return "has said nothing since its last step"
    if server.release is None and not look.is_off(Obstacle.RELEASE_UNKNOWN):
        return "does not say what it runs"
    if not server.is_ready and server.is_supervised:
        return "has not passed its self-test"
    return ""


def _lost(look: Look, server: SeenServer) -> bool:
    """Whether another server was really lost, rather than not heard of for a moment."""
    return any(
        (not other.is_online and not is_given_up(look, other))
        or other.is_draining
        or other.is_in_maintenance
        for other in look.servers
        if other.id != server.id
    )


@once_each
def _of_itself(look: Look, server: SeenServer) -> Iterator[InTheWay]:
    """Whether anything can be ordered of it, and its release is accounted for."""
    yield from unreached(look, server)
    yield from failed(look, server)
    yield from unaccounted(look, server)
    yield from _maintenance(look, server)
    yield from _drained_by_hand(look, server)


def _maintenance(look: Look, server: SeenServer) -> Iterator[InTheWay]:
    if server.is_in_maintenance:
        yield from look.in_the_way(
            Obstacle.SERVER_IN_MAINTENANCE, thing(server), "somebody works on it"
        )


def _drained_by_hand(look: Look, server: SeenServer) -> Iterator[InTheWay]:
    if server.is_draining and look.touched(server).drain is None:
        yield from look.in_the_way(
            Obstacle.DRAINED_BY_HAND, thing(server), "the upgrade did not drain it"
        )


def _before_switch(look: Look, server: SeenServer) -> Iterator[InTheWay]:
    """Say what keeps it from being switched, and so from being drained for that."""
    if not server.is_supervised:
        yield from look.in_the_way(
            Obstacle.SERVER_UNSUPERVISED, thing(server), "nothing there can switch its release"
        )
    if look.wanted not in server.installed and look.wanted != server.release:
        yield from look.in_the_way(
            Obstacle.NOT_INSTALLED, thing(server), f"{look.wanted} does not lie there"
        )
    yield from before_way_back(look, server)
    yield from _misread(look, server)


def _misread(look: Look, server: SeenServer) -> Iterator[InTheWay]:
    """Say what the wanted release read wrongly there, if it was changed by hand since."""
    asked, seen = look.touched(server).canary, look.canary(server.id)
    if asked is None or seen is None or asked.generation <= look.policy.forgiven:
        return
    if seen.blueprint == asked.generation and seen.problem and seen.release == look.wanted:
        yield from look.in_the_way(
            Obstacle.CANARY_FAILED, thing(server), f"read at {seen.release}: {seen.problem}"
        )


def _switch(look: Look, server: SeenServer) -> Candidate:
    step = Step(StepKind.SWITCH, server.id, look.wanted, server.release)
    waits = [*_of_itself(look, server), *_before_switch(look, server), *relays_in_the_way(look)]
    if look.touched(server).drain is None:
        # Somebody else drained it: what is asked before a drain was not asked yet.
        waits += [*before_anything(look), *before_server(look, server)]
        # What was begun is ended first: the first ones may wait for this one to be back.
        if not look.touched(server).was_switched:
            waits += _first_ones(look, server)
    order = look.touched(server).switch
    if order is not None and order.step.release == look.wanted and is_undone(look, server, order):
        waits += under_way(look, server, order)
    waits += _devices_there(look, server)
    return Candidate(step, f"{server.name} is drained, and no device reads from it", tuple(waits))


def _devices_there(look: Look, server: SeenServer) -> Iterator[InTheWay]:
    here = [one.name for one in look.inventory.placement.devices if one.streams_from(server.id)]
    if server.session_count or here:
        said = some_of(sorted(here)) or f"{server.session_count} sessions"
        yield from look.in_the_way(
            Obstacle.DEVICES_STILL_THERE,
            thing(server),
            f"still there: {said}",
            _closed(look, server),
        )


def _closed(look: Look, server: SeenServer) -> tuple[str, ...]:
    """Give the servers that are shut, of those that a device of this one could go to.

    None if every device has an open one: then it is only a matter of time.
    """
    hosts = {host.id: host for host in look.inventory.placement.hosts}
    seen = {one.id: one for one in look.servers}
    found: set[str] = set()
    for device in look.inventory.placement.devices:
        others = [hosts[one] for one in device.may_use if one != server.id and one in hosts]
        if device.streams_from(server.id) and not any(one.is_open for one in others):
            found.update(thing(seen[one.id]) for one in others if one.id in seen)
    return tuple(sorted(found))


def _turn_back(look: Look, server: SeenServer, switch: Candidate) -> Candidate | None:
    """Let a drained server that was not switched yet serve again, if it is needed."""
    touched = look.touched(server)
    if touched.was_switched or look.is_called_back(server):
        return None
    # One that the upgrade has never switched served like that before; at the new release only
    # by somebody's hand.
    is_as_before = touched.switch is None and server.release != look.policy.new
    if not is_as_before and not look.is_verified(server):
        is_too_early = any(one.obstacle is Obstacle.FIRST_ONES_FIRST for one in switch.in_the_way)
        # The first ones wait until it is back: once it was read through, it serves as it is.
        return _canary(look, server) if is_too_early else None
    if _lost(look, server):
        why = "another server was lost"
    elif switch.needs_a_person or any(_first_ones(look, server)):
        why = "it cannot be switched now"
    else:
        return None
    step = Step(StepKind.SERVE, server.id, expects=server.release)
    waits = [*_of_itself(look, server), *_ready(look, server)]
    return Candidate(step, f"{server.name} was not switched yet, and {why}", tuple(waits))


def _canary(look: Look, server: SeenServer) -> Candidate:
    step = Step(StepKind.CANARY, server.id, server.release, server.release)
    waits = [*_of_itself(look, server), *_ready(look, server), *_readable(look, server)]
    asked, seen = look.touched(server).canary, look.canary(server.id)
    switch = look.touched(server).switch
    is_asked = asked is not None and (switch is None or asked.generation > switch.generation)
    if asked is not None and is_asked and asked.generation > look.policy.forgiven:
        if seen is None or seen.blueprint < asked.generation:
            # No worker comes back to a read that another step of the server came after.
            if not look.is_lost(asked) and look.touched(server).last is asked:
                waits += under_way(look, server, asked)
        elif seen.problem:
            waits += look.in_the_way(
                Obstacle.CANARY_FAILED, thing(server), f"read at {server.release}: {seen.problem}"
            )
    return Candidate(step, f"{server.name} runs {server.release} and is ready", tuple(waits))


def _bring_back(look: Look, server: SeenServer) -> Candidate:
    if not look.is_verified(server):
        return _canary(look, server)
    step = Step(StepKind.SERVE, server.id, server.release, server.release)
    waits = [*_of_itself(look, server), *_ready(look, server), *_readable(look, server)]
    return Candidate(
        step, f"reads through {server.name} at {server.release} were right", tuple(waits)
    )


def _ready(look: Look, server: SeenServer) -> Iterator[InTheWay]:
    if not server.is_ready and server.is_supervised:
        yield from look.in_the_way(
            Obstacle.NOT_READY, thing(server), f"{server.release} has not passed its self-test"
        )


def _readable(look: Look, server: SeenServer) -> Iterator[InTheWay]:
    if server.release is None:
        return
    if look.facts.reads(server.release, look.inventory.schema.readable_from) is False:
        yield from look.in_the_way(
            Obstacle.SCHEMA_UNREADABLE,
            thing(server),
            f"{server.release} does not work on schema {look.inventory.schema.step}, which is"
            f" readable from {look.inventory.schema.readable_from} on",
        )


def _first_ones(look: Look, server: SeenServer) -> Iterator[InTheWay]:
    waiting = _first_ones_waiting(look)
    if waiting and all(one.id != server.id for one in waiting):
        yield from look.in_the_way(
            Obstacle.FIRST_ONES_FIRST,
            thing(server),
            some_of([one.name for one in waiting]),
            [thing(one) for one in waiting],
        )


@once
def _first_ones_waiting(look: Look) -> Iterator[SeenServer]:
    return (one for one in named_first(look) if not look.is_there(one))
