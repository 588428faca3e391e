"""When newer guest tools are brought to a machine, kept, and put back; pure.

Only to shared machines: their system disk is made anew at each start, so what is installed is kept
as a layer over the version, and every start is over the layer until another version comes. Nothing
that a user wrote is in it, and it is thrown away without a loss. A machine with a disk of its own
is only listed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from corral.engine.domain.machine.record import Mode
from corral.engine.domain.machine.seen import Installing, Power
from corral.engine.domain.machine.stage import Stage
from corral.engine.domain.machine.steps import Become, EndProcess, InstallTools, Step, Wait, Waiting
from corral.engine.domain.machine.tools_record import ToolsStage, ToolsUpdate
from corral.engine.domain.releases import is_older

if TYPE_CHECKING:
    from corral.engine.domain.machine.record import Machine
    from corral.engine.domain.machine.seen import Abilities, Seen
    from corral.engine.domain.moment import Moment

MAXIMUM_TOOLS_TRIES: Final = 2
INSTALL_SECONDS: Final = 1_800.0

TOOLS_FAILED: Final = "tools-failed"
TOOLS_NOT_HEALTHY: Final = "tools-not-healthy"
TOOLS_NOT_UPDATED: Final = "tools-not-updated"

_UNDER_WAY: Final = frozenset({ToolsStage.INSTALLING, ToolsStage.ON_TRIAL})
_WORKS: Final = frozenset({Stage.PROVEN, Stage.WENT_BACK})


def known_tools(machine: Machine) -> str | None:
    """Give the tools in the version in place: as the farm says, or as its guest did."""
    current, proven = machine.current, machine.proven
    if current is None:
        return None
    if current.guest_tools is not None:
        return current.guest_tools
    is_of_this = proven is not None and proven.root == current.root
    is_bare = machine.tools is None or machine.tools.root != current.root
    return machine.guest_tools if is_of_this and is_bare else None


def begin_tools(machine: Machine, abilities: Abilities) -> Machine:
    """Give the record with which a machine that is off is started."""
    current, tools = machine.current, machine.tools
    if machine.mode is not Mode.SHARED or current is None:
        return machine
    if tools is not None and tools.root != current.root:
        machine, tools = replace(machine, tools=None), None
    is_installed = tools is not None and tools.stage is ToolsStage.INSTALLED
    if tools is None or (not is_installed and _is_newer(abilities, tools)):
        return _begun(machine, abilities)
    match tools.stage:
        case ToolsStage.INSTALLED:
            return replace(machine, tools=replace(tools, stage=ToolsStage.ON_TRIAL, tries=1))
        case ToolsStage.INSTALLING | ToolsStage.ON_TRIAL if tools.tries >= MAXIMUM_TOOLS_TRIES:
            reason = f"it was started {tools.tries} times and did not get so far"
            return _given_up(machine, tools, TOOLS_NOT_HEALTHY, reason)
        case ToolsStage.INSTALLING | ToolsStage.ON_TRIAL:
            return replace(machine, tools=replace(tools, tries=tools.tries + 1))
        case _:
            return machine


def plan_tools(machine: Machine, seen: Seen, now: Moment) -> Step | None:
    """Give the next step with the tools of a machine that runs; None if there is none."""
    tools = machine.tools
    is_at_work = seen.power is Power.RUNNING and machine.wants_to_run and not machine.is_suspended
    if tools is None or tools.stage not in _UNDER_WAY or not is_at_work:
        return None
    if machine.restarts or machine.stopping is not None or machine.start is None:
        return None
    if tools.stage is ToolsStage.INSTALLING:
        return _install(machine, tools, seen, now)
    return _judge(machine, tools, seen, now)


def _begun(machine: Machine, abilities: Abilities) -> Machine:
    """Have them installed by the start that follows, if they are newer and the machine works."""
    current, release, tools = machine.current, abilities.guest_tools, machine.tools
    if current is None or release is None or machine.stage not in _WORKS:
        return machine
    if not is_older(known_tools(machine) if tools is None else tools.kept or "0", release):
        return machine
    kept = None if tools is None else tools.kept
    begun = ToolsUpdate(current.root, release, ToolsStage.INSTALLING, kept, tries=1)
    return replace(machine, tools=begun)


def _is_newer(abilities: Abilities, tools: ToolsUpdate) -> bool:
    return is_older(tools.release, abilities.guest_tools)


def _install(machine: Machine, tools: ToolsUpdate, seen: Seen, now: Moment) -> Step | None:
    match seen.installing:
        case Installing.DONE:
            return _restarting(replace(machine, tools=replace(tools, stage=ToolsStage.INSTALLED)))
        case Installing.FAILED:
            return _restarting(_given_up(machine, tools, TOOLS_FAILED, seen.installing_problem))
        case _ if machine.start is None or now.has_passed(machine.start.moment, INSTALL_SECONDS):
            reason = f"they were not installed within {INSTALL_SECONDS:.0f} s"
            return _restarting(_given_up(machine, tools, TOOLS_FAILED, reason))
        case None if seen.is_healthy:
            return InstallTools(machine)
        case None if _is_overdue(machine, seen, now):
            reason = "its guest agent does not answer, which would install them"
            given_up = _given_up(machine, tools, TOOLS_FAILED, reason)
            return EndProcess(given_up, "no guest agent answers")
        case _:
            return Wait(Waiting.TOOLS)


def _judge(machine: Machine, tools: ToolsUpdate, seen: Seen, now: Moment) -> Step | None:
    if _is_overdue(machine, seen, now):
        seconds = machine.policy.prove_within_seconds
        reason = f"with them its guest agent was not healthy within {seconds} s"
        # Nobody is there who could be asked to shut down.
        given_up = _given_up(machine, tools, TOOLS_NOT_HEALTHY, reason)
        return EndProcess(given_up, "its new guest tools did not prove themselves")
    since = seen.healthy_since
    if not seen.is_healthy or since is None:
        return None
    if not now.has_passed(since, machine.policy.soak_seconds):
        return None
    if seen.guest_tools is None or is_older(seen.guest_tools, tools.release):
        said = seen.guest_tools or "none"
        reason = f"its guest says that its tools are {said} after they were installed"
        return _restarting(_given_up(machine, tools, TOOLS_NOT_UPDATED, reason))
    return Become(
        replace(machine, tools=replace(tools, stage=ToolsStage.KEPT, kept=tools.release, tries=0))
    )


def _is_overdue(machine: Machine, seen: Seen, now: Moment) -> bool:
    start = machine.start
    return (
        start is not None
        and seen.is_healthy is False
        and now.has_passed(start.moment, machine.policy.prove_within_seconds)
    )


def _given_up(machine: Machine, tools: ToolsUpdate, code: str, reason: str) -> Machine:
    problem = f"guest tools {tools.release} were put back: {reason}"
    stage = ToolsStage.GIVEN_UP
    given_up = replace(tools, stage=stage, tries=0, code=code, problem=problem)
    # What failed were the tools, and no start of its version.
    return replace(machine, tools=given_up, tries=0)


def _restarting(machine: Machine) -> Step:
    return Become(replace(machine, restarts=True))
