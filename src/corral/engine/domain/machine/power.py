"""When a virtual machine is started, stopped, suspended and restarted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from corral.engine.domain.machine.record import Machine, Mode, Start, Wish
from corral.engine.domain.machine.seen import Power
from corral.engine.domain.machine.stage import Event, Stage
from corral.engine.domain.machine.steps import (
    AskToShutDown,
    Become,
    ContinueMachine,
    EndProcess,
    StartMachine,
    Step,
    SuspendMachine,
    Wait,
    Waiting,
)
from corral.engine.domain.machine.tools import begin_tools

if TYPE_CHECKING:
    from corral.engine.domain.machine.seen import Abilities, MachineOrder, Seen
    from corral.engine.domain.moment import Moment

MAXIMUM_TRIES: Final = 3
"""Starts without a word from the guest, before it counts as one that does not start."""

SHUTDOWN_SECONDS: Final = 120.0
"""How long a guest may take to shut down before its process is ended."""

NOTICE_SECONDS: Final = 600.0
"""How long after its user was told the restart comes, where policy has one come and nobody put it
off."""

DOES_NOT_START: Final = "does-not-start"


def plan_power(  # noqa: PLR0913, PLR0917 - all that a step depends on
    order: MachineOrder | None,
    machine: Machine,
    seen: Seen,
    abilities: Abilities,
    now: Moment,
    wall: int,
) -> Step:
    """Give the next step towards what its user wants; ``wall`` is only shown to people."""
    if seen.power is Power.OFF:
        step = _while_off(order, machine, seen, now, wall)
        if isinstance(step, StartMachine) and step.is_fresh:
            return replace(step, machine=begin_tools(step.machine, abilities))
        return step
    if machine.start is None:
        return Become(replace(machine, start=Start(now, wall, seen.root)))
    return _while_on(machine, machine.start, seen, now)


def end_of_start(machine: Machine, seen: Seen, now: Moment) -> Step | None:
    """Take note once that what was started has ended, and what that says of its user's wish."""
    start = machine.start
    if start is None:
        return None
    match seen.power:
        case Power.SHUT_DOWN:
            # Known from the process, whoever looked when the guest did it.
            if machine.stopping is None and not machine.restarts:
                machine = replace(machine, wish=Wish.STOPPED)
            return EndProcess(replace(machine, tries=0), "its guest has switched it off")
        case Power.PANICKED:
            return EndProcess(machine, "its guest's kernel has given up")
        case Power.OFF:
            ended = replace(machine, start=None, stopping=None, restarts=False)
            if machine.wish is Wish.RUNNING and _is_of_an_earlier_run(machine, start, now):
                # The computer went off with it: what starts by itself does, others wait.
                ended = replace(ended, wish=None, tries=max(0, machine.tries - 1))
            return Become(ended)
        case _:
            return None


def _is_of_an_earlier_run(machine: Machine, start: Start, now: Moment) -> bool:
    """Whether the computer was restarted since, and nobody has asked for the machine since then."""
    was_asked_since = machine.wished is not None and machine.wished.boot == now.boot
    return start.moment.boot != now.boot and not was_asked_since


def asked_to_run(machine: Machine, power: Power, now: Moment) -> Machine:
    """Have its user want it to run; also if its guest has just gone off and nobody took note."""
    asked = machine.wishing(Wish.RUNNING, now)
    return replace(asked, restarts=True) if power is Power.SHUT_DOWN else asked


def restart_is_due(machine: Machine, now: Moment) -> bool:
    """Whether its user has put the restart off for as long as policy allows."""
    seconds = seconds_to_restart(machine, now)
    return seconds is not None and seconds <= 0


def seconds_to_restart(machine: Machine, now: Moment) -> float | None:
    """Give how long it is until a new version is taken by a restart; None if none comes by itself.

    Only of a machine that runs, and whose user was told.
    """
    allowed = machine.policy.postpone_seconds
    if machine.stage is not Stage.READY or machine.told is None or allowed == 0:
        return None
    put_off = NOTICE_SECONDS if machine.postponed_seconds is None else machine.postponed_seconds
    passed = now.seconds_since(machine.told)
    return 0.0 if passed is None else min(allowed, put_off) - passed


def _while_on(machine: Machine, start: Start, seen: Seen, now: Moment) -> Step:
    if seen.power is Power.UNREACHABLE:
        return _stop(machine, now) if _is_overdue(machine, now) else Wait(Waiting.PROCESS)
    step = _towards_wish(machine, start, seen, now)
    if step is not None:
        return step
    if seen.was_reset and machine.mode is Mode.SHARED:
        # For one whose disk is made anew at each start, that was the end.
        ran_long = now.has_passed(start.moment, machine.policy.prove_within_seconds)
        tries = 0 if ran_long else machine.tries
        return EndProcess(replace(machine, tries=tries), "its guest restarts")
    return _beside(machine, now)


def _towards_wish(machine: Machine, start: Start, seen: Seen, now: Moment) -> Step | None:
    """Give what has to be done for what its user wants; None if that is how it is."""
    if machine.is_suspended:
        if start.is_resumed:
            return Become(replace(machine, is_suspended=False))
        return EndProcess(machine, "what was in its memory is kept")
    if machine.wish is Wish.SUSPENDED:
        return SuspendMachine(machine)
    if machine.restarts or not machine.wants_to_run:
        return _stop(machine, now)
    if machine.stopping is not None:
        return Become(replace(machine, restarts=True))
    return ContinueMachine(machine) if seen.power is Power.PAUSED else None


def _beside(machine: Machine, now: Moment) -> Step:
    """Give what is to be done while it runs as it should."""
    match machine.stage:
        case Stage.READY if machine.told is None:
            return Become(replace(machine, told=now, postponed_seconds=None))
        case Stage.READY if restart_is_due(machine, now):
            return Become(replace(machine, restarts=True))
        case Stage.READY:
            return Wait(Waiting.RESTART)
        case Stage.PROVING | Stage.RETURNING:
            return Wait(Waiting.PROOF)
        case Stage.FETCHING | Stage.PREPARING:
            return Wait(Waiting.CHUNKS)
        case _:
            return Wait(Waiting.NOTHING)


def _stop(machine: Machine, now: Moment) -> Step:
    if machine.stopping is None:
        return AskToShutDown(replace(machine, stopping=now))
    if _is_overdue(machine, now):
        return EndProcess(machine, f"its guest did not shut down within {SHUTDOWN_SECONDS:.0f} s")
    return Wait(Waiting.SHUTDOWN)


def _is_overdue(machine: Machine, now: Moment) -> bool:
    return machine.stopping is not None and now.has_passed(machine.stopping, SHUTDOWN_SECONDS)


def _while_off(
    order: MachineOrder | None, machine: Machine, seen: Seen, now: Moment, wall: int
) -> Step:
    if not machine.wants_to_run:
        is_coming = machine.stage in {Stage.FETCHING, Stage.PREPARING}
        return Wait(Waiting.CHUNKS if is_coming else Waiting.NOTHING)
    if order is not None and order.is_disabled:
        return Wait(Waiting.DISABLED)
    if machine.is_suspended:
        return _resume(machine, seen, now, wall)
    if machine.stage is Stage.READY or _may_start_early(machine, seen):
        taken = machine.moved(Event.TAKEN)
        return Become(replace(taken, current=machine.candidate, candidate=None, told=None, tries=0))
    if machine.mode is Mode.LOCAL:
        if not seen.has_own_disk:
            return Wait(Waiting.VERSION)
    elif machine.current is None:
        return Wait(Waiting.CHUNKS if machine.candidate is not None else Waiting.VERSION)
    elif machine.current.root not in seen.served_roots:
        return Wait(Waiting.DISK_PROCESS)
    if machine.tries >= MAXIMUM_TRIES:
        return _does_not_start(machine)
    is_fresh = machine.mode is Mode.SHARED or not seen.has_own_disk
    return StartMachine(started(machine, now, wall), is_fresh=is_fresh)


def _may_start_early(machine: Machine, seen: Seen) -> bool:
    """Whether the very first version can be started, with more of it to come meanwhile."""
    candidate = machine.candidate
    return (
        machine.stage is Stage.FETCHING
        and machine.current is None
        and candidate is not None
        and candidate.root in seen.served_roots
    )


def _resume(machine: Machine, seen: Seen, now: Moment, wall: int) -> Step:
    if machine.tries >= MAXIMUM_TRIES:
        # Its memory cannot be read back; a machine that starts is worth more than one that waits.
        return Become(replace(machine, is_suspended=False, tries=0))
    if machine.current is not None and machine.current.root not in seen.served_roots:
        return Wait(Waiting.DISK_PROCESS)
    return StartMachine(started(machine, now, wall, is_resumed=True), is_fresh=False)


def _does_not_start(machine: Machine) -> Step:
    if machine.stage in {Stage.PROVEN, Stage.WENT_BACK}:
        problem = why_it_does_not_start(machine)
        return Become(replace(machine.moved(Event.GAVE_UP), code=DOES_NOT_START, problem=problem))
    return Wait(Waiting.FAILS)


def why_it_does_not_start(machine: Machine) -> str:
    """Say what is known of it."""
    return machine.trouble or f"its guest did not answer after {machine.tries} starts"


def started(machine: Machine, now: Moment, wall: int, *, is_resumed: bool = False) -> Machine:
    """Give its record as it is kept before its process is started."""
    root = None if machine.current is None else machine.current.root
    return replace(
        machine,
        start=Start(now, wall, root, is_resumed=is_resumed),
        last_started_at=wall,
        starts=machine.starts + 1,
        tries=machine.tries + 1,
        stopping=None,
        restarts=False,
        boot_milliseconds=None,
        trouble="",
    )
