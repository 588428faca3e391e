"""What to do next with one virtual machine.

Pure and total: the same order, record and look give the same step. It gives one step at a time;
whoever carries it out looks again before the next. So it does not matter where between two steps
the engine, or the computer, was killed: the next look tells what was done.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from corral.engine.domain.machine.power import (
    DOES_NOT_START,
    MAXIMUM_TRIES,
    end_of_start,
    plan_power,
    why_it_does_not_start,
)
from corral.engine.domain.machine.record import GivenUp, Mode
from corral.engine.domain.machine.seen import Power
from corral.engine.domain.machine.stage import MAXIMUM_LAPS, Event, Stage
from corral.engine.domain.machine.steps import (
    Become,
    EndProcess,
    RemoveMachine,
    Step,
    Wait,
    Waiting,
)
from corral.engine.domain.machine.tools import plan_tools

if TYPE_CHECKING:
    from corral.engine.domain.machine.record import Machine, Version
    from corral.engine.domain.machine.seen import Abilities, MachineOrder, Seen
    from corral.engine.domain.moment import Moment

RETURN_SECONDS: Final = 600.0
"""What worked before is not given up because a version was to prove itself quickly."""

NOT_HEALTHY: Final = "not-healthy"
GOES_IN_CIRCLES: Final = "goes-in-circles"
VERSION_BEFORE_FAILS: Final = "version-before-fails"

_BEFORE_IT_IS_TAKEN: Final = frozenset({Stage.FETCHING, Stage.PREPARING, Stage.READY})
_TAKES_ORDERS: Final = frozenset({Stage.EMPTY, Stage.PROVEN, Stage.WENT_BACK, Stage.FAILED})


def next_step(  # noqa: PLR0913, PLR0917 - all that a step depends on
    order: MachineOrder | None,
    machine: Machine,
    seen: Seen,
    abilities: Abilities,
    now: Moment,
    wall: int,
) -> Step:
    """Give the next step of ``machine``; ``order`` is None for a local one, and for one to go.

    ``wall`` is the computer's clock, which is only shown to people.
    """
    if machine.laps > MAXIMUM_LAPS:
        return Become(_gave_up(machine, GOES_IN_CIRCLES, _circles(machine)))
    ended = end_of_start(machine, seen, now)
    if ended is not None:
        return ended
    if order is None and machine.mode is not Mode.LOCAL:
        return _leave(machine, seen)
    if order is not None and order.policy != machine.policy:
        return Become(replace(machine, policy=order.policy))
    for decide in (_heard, _own_disk_made, _turn_back):
        step = decide(machine, seen)
        if step is not None:
            return step
    step = (
        _judge(machine, seen, now)
        or _follow(order, machine, seen, abilities)
        or plan_tools(machine, seen, now)
    )
    if step is not None:
        return step
    return plan_power(order, machine, seen, abilities, now, wall)


def is_held(order: MachineOrder, abilities: Abilities) -> bool:
    """Whether this engine cannot run what was ordered."""
    return order.version.image_format not in abilities.image_formats


def wanted_version(
    order: MachineOrder | None, machine: Machine, abilities: Abilities
) -> Version | None:
    """Give the version that should come to ``machine``: none if it is not to be tried."""
    if order is None or machine.is_base_locked or is_held(order, abilities):
        return None
    given_up = machine.given_up
    version = order.version
    if (
        given_up is not None
        and given_up.root == version.root
        and version.attempt <= given_up.attempt
    ):
        return None
    return version


def _leave(machine: Machine, seen: Seen) -> Step:
    """Go when nobody works with it any more; a session is not interrupted."""
    if seen.power is Power.OFF:
        return RemoveMachine(machine)
    return Wait(Waiting.USER)


def _heard(machine: Machine, seen: Seen) -> Step | None:
    """Keep what the guest said: that it lives, and which tools it has."""
    heard = machine
    if seen.is_healthy and machine.start is not None and machine.tries:
        heard = replace(heard, tries=0)
    if seen.boot_milliseconds is not None and machine.boot_milliseconds != seen.boot_milliseconds:
        heard = replace(heard, boot_milliseconds=seen.boot_milliseconds)
    if seen.guest_tools is not None and machine.guest_tools != seen.guest_tools:
        heard = replace(heard, guest_tools=seen.guest_tools)
    return None if heard == machine else Become(heard)


def _own_disk_made(machine: Machine, seen: Seen) -> Step | None:
    if machine.mode is not Mode.SHARED and seen.has_own_disk and not machine.has_own_disk:
        return Become(replace(machine, has_own_disk=True))
    return None


def _turn_back(machine: Machine, seen: Seen) -> Step | None:
    """Put the version before in place, once nothing runs from the other."""
    if machine.stage is not Stage.GOING_BACK:
        return None
    if seen.power is not Power.OFF:
        return EndProcess(machine, "its version did not prove itself")
    return Become(
        replace(
            machine.moved(Event.TURNED),
            current=machine.proven,
            candidate=None,
            tries=0,
            is_suspended=False,
        )
    )


def _judge(machine: Machine, seen: Seen, now: Moment) -> Step | None:
    """Decide whether what is in place has proven itself, or has not."""
    match machine.stage:
        case Stage.PROVING | Stage.FAILED if _has_soaked(machine, seen, now):
            return Become(
                replace(
                    machine.moved(Event.PROVED),
                    proven=machine.current,
                    given_up=None if _is_given_up(machine) else machine.given_up,
                    code="",
                    problem="",
                )
            )
        case Stage.PROVING if _is_out_of_tries(machine, seen):
            return Become(_not_proved(machine, DOES_NOT_START, why_it_does_not_start(machine)))
        case Stage.PROVING if _is_overdue(machine, seen, now) and _is_whole(machine, seen):
            seconds = machine.policy.prove_within_seconds
            reason = f"its guest agent was not healthy within {seconds} s"
            return Become(_not_proved(machine, NOT_HEALTHY, reason))
        case Stage.RETURNING if seen.is_healthy and seen.power is Power.RUNNING:
            return Become(machine.moved(Event.RETURNED))
        case Stage.RETURNING if _is_out_of_tries(machine, seen):
            return Become(_gave_up(machine, VERSION_BEFORE_FAILS, "it does not start any more"))
        case Stage.RETURNING if _is_overdue(machine, seen, now, at_least=RETURN_SECONDS):
            return Become(_gave_up(machine, VERSION_BEFORE_FAILS, "it is not healthy any more"))
        case _:
            return None


def _is_out_of_tries(machine: Machine, seen: Seen) -> bool:
    return machine.tries >= MAXIMUM_TRIES and seen.power is Power.OFF


def _is_given_up(machine: Machine) -> bool:
    given_up, current = machine.given_up, machine.current
    return given_up is not None and current is not None and given_up.root == current.root


def _has_soaked(machine: Machine, seen: Seen, now: Moment) -> bool:
    """Whether it was healthy for long enough, by a disk that is attested to be its version's."""
    current = machine.current
    return (
        seen.power is Power.RUNNING
        and bool(seen.is_healthy)
        and seen.healthy_since is not None
        and now.has_passed(seen.healthy_since, machine.policy.soak_seconds)
        and current is not None
        and seen.root == current.root
        and _is_whole(machine, seen)
    )


def _is_overdue(machine: Machine, seen: Seen, now: Moment, *, at_least: float = 0.0) -> bool:
    # ``is_healthy`` is None until this engine has listened for a while: what was healthy while no
    # engine ran is not taken back for that.
    return (
        machine.start is not None
        and seen.power is Power.RUNNING
        and seen.is_healthy is False
        and now.has_passed(machine.start.moment, max(at_least, machine.policy.prove_within_seconds))
    )


def _is_whole(machine: Machine, seen: Seen) -> bool:
    return machine.current is not None and machine.current.root in seen.held_roots


def _not_proved(machine: Machine, code: str, reason: str) -> Machine:
    bad, before = machine.current, machine.proven
    if bad is None or before is None or before.root == bad.root or machine.is_base_locked:
        return replace(machine.moved(Event.NOTHING_BEFORE), code=code, problem=reason)
    given_up = GivenUp(bad.root, bad.attempt, code, f"{bad.name} was taken back: {reason}")
    return replace(machine.moved(Event.NOT_PROVED), given_up=given_up)


def _gave_up(machine: Machine, code: str, problem: str) -> Machine:
    """Leave it as it is; what was to come is not tried again before somebody says so."""
    given_up = machine.given_up
    if machine.candidate is not None:
        to_come = machine.candidate
        given_up = GivenUp(to_come.root, to_come.attempt, code, problem)
    gave_up = machine.moved(Event.GAVE_UP)
    return replace(gave_up, code=code, problem=problem, candidate=None, given_up=given_up)


def _circles(machine: Machine) -> str:
    return f"it was {machine.stage} after {machine.laps} moves and never came to rest"


def _follow(
    order: MachineOrder | None, machine: Machine, seen: Seen, abilities: Abilities
) -> Step | None:
    """Have the ordered version come, and go on with it as far as it can go while others run."""
    wanted = wanted_version(order, machine, abilities)
    if machine.stage in _BEFORE_IT_IS_TAKEN:
        return _follow_candidate(wanted, machine, seen)
    is_off_unproven = machine.stage is Stage.PROVING and seen.power is Power.OFF
    if wanted is None or not (machine.stage in _TAKES_ORDERS or is_off_unproven):
        return None
    current = machine.current
    if current is None or current.root != wanted.root:
        return Become(machine.ordered(wanted))
    if machine.stage is Stage.FAILED and wanted.is_tried_anew(current):
        tried = machine.moved(Event.TRIED_AGAIN)
        return Become(replace(tried, current=wanted, tries=0, code="", problem=""))
    if wanted != current:
        return Become(replace(machine, current=wanted))
    return None


def _follow_candidate(wanted: Version | None, machine: Machine, seen: Seen) -> Step | None:
    candidate, current = machine.candidate, machine.current
    if candidate is None or wanted is None or (current and wanted.root == current.root):
        return Become(_withdrawn(machine, wanted))
    if (candidate.root, candidate.attempt) != (wanted.root, wanted.attempt):
        return Become(machine.ordered(wanted))
    if candidate != wanted:
        return Become(replace(machine, candidate=wanted))
    is_here, is_served = candidate.root in seen.held_roots, candidate.root in seen.served_roots
    match machine.stage:
        case Stage.FETCHING if is_here:
            return Become(machine.moved(Event.ARRIVED))
        case Stage.PREPARING | Stage.READY if not is_here:
            return Become(machine.moved(Event.LOST))
        case Stage.PREPARING if is_served:
            return Become(machine.moved(Event.PREPARED))
        case _:
            return None


def _withdrawn(machine: Machine, wanted: Version | None) -> Machine:
    if machine.current is None:
        event = Event.WITHDRAWN_FIRST
    elif machine.proven is not None and machine.proven.root == machine.current.root:
        event = Event.WITHDRAWN
    else:
        event = Event.WITHDRAWN_UNPROVEN
    current = machine.current
    if current is not None and wanted is not None and wanted.root == current.root:
        current = wanted
    return replace(machine.moved(event), candidate=None, current=current, told=None)
