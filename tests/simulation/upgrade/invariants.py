"""What always holds, looked at apart from the planner: from what the farm knew, and from what is.

The numbers are those of docs/explanation/upgrades.md. What people did by hand and nobody has told
the farm of yet is no fault of the upgrade; neither is what somebody has accepted by name.
"""

from corral.farm.domain.estate.server import ServerId
from corral.farm.domain.upgrade.blueprint import Blueprint, Step, StepKind
from corral.farm.domain.upgrade.plan import Plan
from corral.farm.domain.upgrade.state import OVER, STEPPING, UpgradeEvent, UpgradeState, after
from corral.farm.domain.upgrade.touches import ORDERS, Touches
from tests.simulation.upgrade import promises, room
from tests.simulation.upgrade.machines import Machine
from tests.simulation.upgrade.records import at
from tests.simulation.upgrade.world import World

DAY = 24 * 3600


def of_plan(world: World, came: Plan) -> None:
    """L2: whoever is told that nothing is done is told why."""
    state = world.records.policy.state
    is_quiet = state in OVER or state is UpgradeState.AWAITING_FINALISE
    is_silent = came.step is None and came.event is None
    if is_silent and not is_quiet and not came.blocked and not came.waits_for:
        world.break_(f"L2 nothing is done in {state}, and nobody says why")


def before_adoption(world: World, blueprint: Blueprint) -> None:
    """Judge a step as it is adopted, by what the records say at that moment."""
    step = blueprint.step
    _in_turn(world, blueprint)
    is_waited_for = step.kind is StepKind.REST and world.records.draining
    if (step.kind in promises.BEGINS and not is_waited_for) or promises.is_begun_by_hand(
        world, step
    ):
        promises.before(world, step)
    if step.server is None:
        _schema_again(world, step)
        (_expand if step.kind is StepKind.EXPAND else _contract)(world)
    else:
        _before_server(world, blueprint, world.machines[step.server])


def at_the_end(world: World) -> None:
    """S20: what is written down of the steps and events, played again, gives what is there."""
    records = world.records
    state = UpgradeState.RUNNING
    for event in records.events:
        state = after(state, event)
    if state is not records.policy.state:
        world.break_(f"S20 it is {records.policy.state}, and its events lead to {state}")
    if Touches.of(records.history) != records.touches:
        world.break_("S20 the blueprints, read again, say something else of what was done")


def _before_server(world: World, blueprint: Blueprint, machine: Machine) -> None:
    step = blueprint.step
    _fresh(world, blueprint, machine)
    if step.kind is StepKind.DRAIN or promises.is_begun_by_hand(world, step):
        promises.of_tasks(world, machine)
    if step.kind is not StepKind.INSTALL:
        _hand(world, step, machine)
    _again(world, step, machine)
    report = world.records.reports.get(machine.id)
    staged = frozenset() if report is None else report.staged
    if step.kind is StepKind.INSTALL and step.release not in staged:
        world.break_(f"P9 {step.release} is to be laid out on {machine.name}, which has not got it")
    if step.kind is StepKind.DRAIN:
        _drain(world, machine)
    if step.kind is StepKind.SWITCH:
        _switch(world, step, machine)
    if step.kind is StepKind.SERVE:
        _serve(world, machine)


def before_event(world: World, event: UpgradeEvent) -> None:
    """Judge what happens to the upgrade itself."""
    policy = world.records.policy
    if event is not UpgradeEvent.ARRIVE:
        return
    for machine in world.machines.values():
        name = f"{'relay' if machine.is_relay else 'server'} {machine.name}"
        # Somebody answers for what it runs where nobody can see it.
        risks = ("server-silent", "release-unknown") if machine.is_mute else ("server-silent",)
        is_vouched_for = any(promises.is_accepted(world, f"{risk} {name}") for risk in risks)
        is_there = machine.release == policy.wanted or machine.by_hand
        if not is_there and not is_vouched_for:
            world.break_(f"S13 everything is called {policy.wanted}, and {machine.name} is not")
    if policy.state.leads_forward:
        since = policy.runs_since
        if since is None or at(world.now) - since < policy.soak:
            world.break_("P8 it is called complete before it has run for as long as was said")
        promises.of_consoles(world)


def _schema_again(world: World, step: Step) -> None:
    """P7 and P10, of the schema."""
    records = world.records
    begun = [one for one in records.history if one.step == step]
    if not begun or begun[-1].generation <= records.policy.forgiven:
        return
    if records.schema.problem_of == begun[-1].generation:
        world.break_(f"P7 {step.kind} is tried again, and nobody has said so")
    elif begun[-1].epoch == records.epoch:
        world.break_(f"P10 {step.kind} is begun again while it is under way")


def _again(world: World, step: Step, machine: Machine) -> None:
    """P7: what failed is not tried again by itself. P10: nor what is under way begun again."""
    records = world.records
    report = records.reports.get(machine.id)
    done = [one for one in records.history if one.step.server == machine.id]
    same = [one for one in done if one.step.kind is step.kind and one.step.release == step.release]
    if report is None or not same or same[-1].generation <= records.policy.forgiven:
        return
    last = same[-1].generation
    if step.kind is StepKind.CANARY:
        canary = records.canaries.get(machine.id)
        # What was asked for before a restore is read by nobody any more.
        is_asked = done[-1] is same[-1] and same[-1].epoch == records.epoch
        if canary is not None and canary.blueprint == last and canary.problem:
            world.break_(f"P7 {machine.name} is read again, and nobody has said so")
        elif is_asked and (canary is None or canary.blueprint < last):
            world.break_(f"P10 {machine.name} is read while it is read")
    elif step.kind in (StepKind.INSTALL, StepKind.SWITCH):
        orders = [one for one in done if one.step.kind in ORDERS]
        if orders[-1] is not same[-1]:
            return
        if report.problem_of == last and not machine.by_hand:
            world.break_(f"P7 {step.kind} of {machine.name} is tried again, and nobody said so")
        elif report.order < last:
            world.break_(f"P10 {step.kind} of {machine.name} is ordered while it is under way")


def after_schema_change(world: World) -> None:
    """S3 and S5: whoever works on the database works on what has become of it."""
    schema = world.records.schema
    for machine in world.servers:
        reads = world.releases.reads(machine.release, schema.readable_from)
        accepted = promises.is_accepted(world, f"schema-fact-missing farm-{machine.release}")
        if reads is None and accepted:
            continue
        if machine.is_up and reads is not True and machine.name not in world.foreign:
            world.break_(
                f"S3 {machine.name} runs {machine.release} when the schema becomes"
                f" {schema.step}, readable from {schema.readable_from}"
            )


def _in_turn(world: World, blueprint: Blueprint) -> None:
    records = world.records
    newest = records.newest
    parent = 0 if newest is None else newest.generation
    if blueprint.parent != parent:
        world.break_(f"S22 {blueprint.generation} follows {blueprint.parent}, not {parent}")
    if blueprint.generation <= parent:
        world.break_(f"S8 {blueprint.generation} was adopted after {parent}")
    if records.policy.state not in STEPPING:
        world.break_(f"S18 {blueprint.step.kind} was begun while {records.policy.state}")
    if blueprint.epoch != records.epoch:
        world.break_(f"S23 a blueprint of epoch {blueprint.epoch} in {records.epoch}")
    before = max([records.policy.epoch, *(one.epoch for one in records.history)])
    if records.epoch > before and not promises.is_accepted(
        world, f"farm-restored epoch {records.epoch}"
    ):
        world.break_("S23 a step after a restore that nobody has looked at")


def _fresh(world: World, blueprint: Blueprint, machine: Machine) -> None:
    """S9: what is decided of a server is decided on what it said after its last touch."""
    touches = [one for one in world.records.history if one.step.server == machine.id]
    report = world.records.reports.get(machine.id)
    if report is None or not world.records.is_online(machine.id, world.now):
        world.break_(f"S13 {blueprint.step.kind} of {machine.name}, which is silent")
        return
    if touches and report.configured < touches[-1].farm_generation:
        world.break_(
            f"S9 {blueprint.step.kind} of {machine.name} by what it said before step"
            f" {touches[-1].generation}"
        )


def _hand(world: World, step: Step, machine: Machine) -> None:
    """S24: a change by hand stands still until somebody has accepted it."""
    name = f"{'relay' if machine.is_relay else 'server'} {machine.name}"
    if machine.by_hand:
        return
    if machine.name in world.foreign:
        left = world.foreign.pop(machine.name)
        risks = ("release-unordered", "release-foreign", "release-unknown")
        if machine.release not in (left, *_ordered(world, machine)) and not any(
            promises.is_accepted(world, f"{risk} {name}") for risk in risks
        ):
            world.break_(
                f"S24 {step.kind} of {machine.name}, which somebody had brought from {left} to"
                f" {machine.release}"
            )
    if machine.name in world.drained_by_hand:
        world.drained_by_hand.discard(machine.name)
        if not promises.is_accepted(world, f"drained-by-hand {name}"):
            world.break_(f"S24 {step.kind} of {machine.name}, which somebody had drained")


def _ordered(world: World, machine: Machine) -> tuple[object, ...]:
    """Give what it may run because the last step for it was a switch."""
    steps = [
        one.step
        for one in world.records.history
        if one.step.server == machine.id and one.step.kind is not StepKind.INSTALL
    ]
    is_switch = bool(steps) and steps[-1].kind is StepKind.SWITCH
    return (steps[-1].release, steps[-1].expects) if is_switch else ()


def _drain(world: World, machine: Machine) -> None:
    records, policy = world.records, world.records.policy
    for other in world.servers:
        if other.id != machine.id:
            why = _spent(world, other)
            if why:
                world.break_(f"S2 {machine.name} is drained while {other.name} {why}")
    for name in world.records.reports[machine.id].devices:
        device = world.devices[name]
        if device.place != machine.id:
            continue
        others = [one for one in world.servers if one.id != machine.id and _takes(world, one.id)]
        if not any(device.version in records.reports[one.id].holds for one in others):
            world.break_(f"S1 {machine.name} is drained, and {name} has no other server")
        is_at_risk = sum(device.version in records.reports[one.id].holds for one in others) < 2
        if is_at_risk and not promises.is_accepted(world, f"devices-at-risk server {machine.name}"):
            world.break_(f"S21 {machine.name} is drained, and {name} hangs by one server")
    room.before_drain(world, machine)
    touched = any(one.step.server == machine.id for one in records.history)
    is_told = not machine.by_hand and not promises.is_taken(world, machine)
    is_wanted = machine.release == policy.wanted and is_told
    if is_wanted and touched and not _called_back(world, machine.id):
        world.break_(f"S8 {machine.name} is drained, and runs {machine.release} already")


def _spent(world: World, other: Machine) -> str:
    records = world.records
    report = records.reports.get(other.id)
    if report is None or not records.is_online(other.id, world.now):
        accepted = promises.is_accepted(world, f"server-silent server {other.name}")
        return "" if accepted else "is silent"
    if other.id in records.draining or other.id in records.maintenance:
        return "is out"
    touches = [one for one in records.history if one.step.server == other.id]
    if touches and report.configured < touches[-1].farm_generation:
        return "was not heard of since its last step"
    if report.release is None:
        accepted = promises.is_accepted(world, f"release-unknown server {other.name}")
        return "" if accepted else "does not say what it runs"
    return "" if report.ready or not other.is_supervised else "is not ready"


def _takes(world: World, server: ServerId) -> bool:
    records = world.records
    closed = server in records.draining or server in records.maintenance
    return records.is_online(server, world.now) and not closed


def _called_back(world: World, server: ServerId) -> bool:
    switches = [
        one
        for one in world.records.history
        if one.step.server == server and one.step.kind is StepKind.SWITCH
    ]
    return bool(switches) and switches[-1].step.release != world.records.policy.wanted


def _switch(world: World, step: Step, machine: Machine) -> None:
    records, policy = world.records, world.records.policy
    report = records.reports.get(machine.id)
    if report is None:
        return
    if not machine.is_relay:
        world.given_up[machine.name] = _given_up(world)
        if machine.id not in records.draining or report.devices:
            world.break_(f"S1 {machine.name} is to be switched, and devices may read from it")
        # Who finalises has given up the way back.
        if policy.state.leads_forward and policy.state is not UpgradeState.FINALISING:
            reads = world.releases.reads(policy.old, records.schema.readable_from)
            if reads is None:
                reads = promises.is_accepted(world, f"schema-fact-missing farm-{policy.old}")
            if policy.old not in report.installed or not reads:
                world.break_(f"S17 {machine.name} is to be switched, and cannot be switched back")
        said = world.releases.schema(policy.wanted)
        if said is not None and (
            said.head < records.schema.readable_from
            or (policy.state.leads_forward and records.schema.step < said.expands_to)
        ):
            world.break_(f"S3 {machine.name} is to run {step.release} on {records.schema.step}")
    elif not report.resting:
        world.break_(f"S7 relay {machine.name} is to be switched while it serves")
    # An order that calls another one back leaves what runs there as it is.
    is_there = step.release in report.installed or step.release == report.release
    if step.release is not None and not is_there:
        world.break_(f"S17 {machine.name} is to run {step.release}, which does not lie there")


def _given_up(world: World) -> frozenset[str]:
    """Give the relays that are silent now, which somebody answers for."""
    return frozenset(
        one.name
        for one in world.relays
        if not world.records.is_online(one.id, world.now)
        and promises.is_accepted(world, f"server-silent relay {one.name}")
    )


def _serve(world: World, machine: Machine) -> None:
    if machine.is_relay:
        for server in world.servers:
            if not machine.by_hand and not server.by_hand:
                fits = world.releases.may_relay(machine.release, server.release)
                is_known = server.name not in world.foreign and not promises.is_taken(world, server)
                if server.is_up and not fits and is_known:
                    world.break_(
                        f"S7 relay {machine.name} at {machine.release} is to serve beside"
                        f" {server.name} at {server.release}"
                    )
        return
    if machine.by_hand or promises.is_taken(world, machine):
        return
    switched = [
        one
        for one in world.records.history
        if one.step.server == machine.id and one.step.kind is StepKind.SWITCH
    ]
    if not switched and machine.release != world.records.policy.new:
        return
    canary = world.records.canaries.get(machine.id)
    if canary is None or canary.release != machine.release or canary.problem:
        world.break_(f"S4 {machine.name} is to serve at {machine.release}, and nobody read there")
    report = world.records.reports.get(machine.id)
    if report is not None and not report.ready and machine.is_supervised:
        world.break_(f"S4 {machine.name} is to serve at {machine.release}, and is not ready")
    if machine.release in machine.bad:
        world.break_(f"S4 {machine.name} is to serve, and reads wrongly at {machine.release}")


def _expand(world: World) -> None:
    backup, records = world.records.backup, world.records
    if backup is None:
        world.break_("S5 expanded without a backup")
    elif world.now - backup.taken > DAY:
        world.break_("S5 expanded with a backup of days ago")
    elif (backup.step, backup.epoch) != (records.schema.step, records.epoch):
        world.break_("S5 expanded with a backup of another schema or epoch")
    elif not backup.is_read and not promises.is_accepted(world, "backup-unread farm"):
        world.break_("S5 expanded with a backup that the new release has not read")


def _contract(world: World) -> None:
    records = world.records
    if records.policy.state is not UpgradeState.FINALISING:
        world.break_("S5 contracted while there is a way back")
    for machine in world.machines.values():
        if machine.release != records.policy.new and not machine.by_hand:
            world.break_(f"S5 contracted while {machine.name} runs {machine.release}")
    for task in records.tasks:
        if not promises.is_accepted(world, f"task-active task {task.number}"):
            world.break_(f"S5 contracted while task {task.number} is active")
