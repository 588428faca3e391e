"""An upgrade told before it happens: for people who want to know, and for those who do it by hand.

Both are the same rehearsal. Whoever carries out steps by hand finds the farm going on from there:
what was done is seen, whoever did it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.domain.naming import some_of
from corral.farm.domain.upgrade.blueprint import StepKind
from corral.farm.domain.upgrade.rehearsal import Scene, rehearse
from corral.farm.domain.upgrade.state import UpgradeEvent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from corral.farm.domain.estate.server import ServerName
    from corral.farm.domain.library.manifest import ReleaseManifest
    from corral.farm.domain.upgrade.blueprint import Blueprint, Step
    from corral.farm.domain.upgrade.carried_out import Move
    from corral.farm.domain.upgrade.inventory import Inventory
    from corral.farm.domain.upgrade.policy import Policy


def explain(
    policy: Policy,
    inventory: Inventory,
    facts: ReleaseManifest,
    now: datetime,
    history: Sequence[Blueprint] = (),
) -> str:
    """Tell what would happen from here on, what each step waits for, and who moves where."""
    names = _names(inventory)
    lines = [
        f"Upgrade of the farm from {policy.old} to {policy.new}, which is {policy.state}.",
        "",
    ]
    for number, scene in enumerate(rehearse(policy, inventory, history, facts, now), 1):
        told = [*_told(scene, names)]
        lines.append(f"{number:3}. {told[0]}")
        lines += (f"     {line}" for line in told[1:])
    return "\n".join(lines) + "\n"


def runbook(
    policy: Policy,
    inventory: Inventory,
    facts: ReleaseManifest,
    now: datetime,
    history: Sequence[Blueprint] = (),
) -> str:
    """Give the same as commands for hand execution."""
    names = _names(inventory)
    relays = {str(one.name) for one in inventory.servers if one.is_relay}
    lines = [
        f"# Taking the farm from {policy.old} to {policy.new} by hand",
        "",
        "Go on with a step only when the one before it is seen to have succeeded.",
        "",
    ]
    for number, scene in enumerate(rehearse(policy, inventory, history, facts, now), 1):
        lines += [f"{number}. {one}" for one in _by_hand(scene, names, relays, policy)[:1]]
        lines += [f"   {one}" for one in _by_hand(scene, names, relays, policy)[1:]]
    return "\n".join(lines) + "\n"


def step_told(step: Step, names: dict[object, ServerName]) -> str:
    """Say what a step does."""
    name = names.get(step.server, "the farm")
    match step.kind:
        case StepKind.INSTALL:
            return f"install {step.release} on {name}, beside what runs"
        case StepKind.EXPAND:
            return "expand the schema of the database"
        case StepKind.REST:
            return f"have relay {name} rest"
        case StepKind.DRAIN:
            return f"drain {name}"
        case StepKind.SWITCH:
            return f"switch {name} to {step.release}"
        case StepKind.CANARY:
            return f"read through {name} and compare"
        case StepKind.SERVE:
            return f"have {name} serve again"
        case StepKind.CONTRACT:
            return "contract the schema of the database"


def _told(scene: Scene, names: dict[object, ServerName]) -> Iterator[str]:
    if scene.blueprint is not None:
        yield step_told(scene.blueprint.step, names)
        yield f"because {scene.evidence}"
        yield from _moves_told(scene.moves)
    elif scene.event is not None:
        yield f"the upgrade: {scene.event}"
        yield f"because {scene.evidence}"
    elif scene.person is not None:
        yield f"people: {scene.person.message} ({scene.person.what.obstacle.code})"
        yield f"way out: {scene.person.way_out}"
        if scene.person.can_be_accepted:
            yield f"or by accepting '{scene.person.risk}'"
    elif scene.waits_for is not None:
        yield f"time: {scene.waits_for.message} ({scene.waits_for.what.obstacle.code})"
    if scene.stops:
        yield "how it goes on from there cannot be supposed"


def _moves_told(moves: Iterable[Move]) -> Iterator[str]:
    by_place: dict[str, list[str]] = {}
    for move in moves:
        by_place.setdefault(move.to or "nowhere", []).append(move.device)
    for place, devices in sorted(by_place.items()):
        yield f"to {place}: {some_of(devices)}"


def _by_hand(
    scene: Scene, names: dict[object, ServerName], relays: set[str], policy: Policy
) -> list[str]:
    if scene.blueprint is not None:
        step = scene.blueprint.step
        head = step_told(step, names)
        return [f"{head[0].upper()}{head[1:]}.", *_commands(step, names, relays)]
    if scene.person is not None:
        return [f"{scene.person.message}.", f"{scene.person.way_out}"]
    if scene.waits_for is not None:
        return [f"Wait: {scene.waits_for.message}."]
    match scene.event:
        case UpgradeEvent.FINALISE:
            return [
                f"Decide that nobody wants back to {policy.old}: after this there is no way back."
            ]
        case UpgradeEvent.ARRIVE:
            return [f"Everything runs {policy.wanted}: use the farm for a while before going on."]
        case UpgradeEvent.CONTRACT:
            return ["The upgrade is done."]
        case _:
            return [f"The upgrade: {scene.event}. {scene.evidence}"]


def _commands(step: Step, names: dict[object, ServerName], relays: set[str]) -> list[str]:
    name = str(names.get(step.server, ""))
    match step.kind:
        case StepKind.INSTALL:
            return [
                f"    corral image replicate farm-{step.release} --to {name} --wait",
                f"    corral server releases        # until {name} lists {step.release}",
            ]
        case StepKind.EXPAND:
            return ["    corral schema show", "    corral schema expand"]
        case StepKind.REST:
            return [f"On {name}: stop the relay's stream process; its computers go on."]
        case StepKind.DRAIN:
            return [
                f"    corral server drain {name}",
                f"    corral server show {name}          # until it has no sessions",
            ]
        case StepKind.SWITCH:
            return [
                f"On {name}:",
                f"    corral supervisor use {step.release}",
                f"    corral supervisor show        # until {step.release} is in force",
            ]
        case StepKind.CANARY:
            return [
                f"Start one test device with {name} as its only server, and see that it starts.",
                f"    corral store verify {name}",
            ]
        case StepKind.SERVE if name in relays:
            return [f"On {name}: start the relay's stream process."]
        case StepKind.SERVE:
            return [f"    corral server undrain {name}"]
        case StepKind.CONTRACT:
            return ["    corral schema contract"]


def _names(inventory: Inventory) -> dict[object, ServerName]:
    return {one.id: one.name for one in inventory.servers}
