"""What the farm's workers do: look, plan, adopt, and carry out what no server does by itself.

The planner and the rule of adoption are the product's own. The rest is what its executor does, each
act so small that something can happen before the next.
"""

from dataclasses import replace
from datetime import timedelta

from corral.farm.domain.upgrade.adoption import Adopted, NotAdopted, blueprint_of, may_adopt
from corral.farm.domain.upgrade.blueprint import Blueprint, StepKind, UpgradeNumber
from corral.farm.domain.upgrade.inventory import Canary, Inventory
from corral.farm.domain.upgrade.plan import Plan, plan
from corral.farm.domain.upgrade.policy import Policy
from corral.farm.domain.upgrade.state import TRANSITIONS, UpgradeEvent, after
from tests.simulation.upgrade import invariants
from tests.simulation.upgrade.records import Order, at
from tests.simulation.upgrade.world import Worker, World

UPGRADE = UpgradeNumber(1)


def look(world: World, worker: Worker) -> None:
    """See the farm as the records have it now."""
    worker.seen = world.look()
    worker.newest = world.records.newest
    worker.based_on = (world.changes, world.now)
    worker.plan = None


def decide(world: World, worker: Worker) -> Plan | None:
    """Plan on what was seen, however old that is by now."""
    if worker.seen is None:
        return None
    worker.plan = planned(world, worker.seen)
    return worker.plan


def planned(world: World, seen: Inventory) -> Plan:
    """Plan; what nothing has changed for since it was planned last comes out the same."""
    records, known = world.records, world.planned
    if known is not None and known[0] is seen and known[1:3] == (world.changes, world.now):
        came = known[3]
    else:
        came = plan(
            records.policy,
            seen,
            records.touches,
            world.facts,
            at(world.now),
            without=world.off.plan,
        )
        world.planned = seen, world.changes, world.now, came
    invariants.of_plan(world, came)
    return came


def adopt(world: World, worker: Worker) -> Blueprint | NotAdopted | None:
    """Write the planned step or event down, in one transaction with another look and plan."""
    came = worker.plan
    if came is None or worker.seen is None:
        return None
    records = world.records
    is_same = worker.based_on == (world.changes, world.now)
    seen = worker.seen if is_same else world.look()
    again = came if is_same else planned(world, seen)
    keep_time(world, again)
    worker.plan = None
    if came.step is None:
        if came.event is not None and again.event is came.event:
            invariants.before_event(world, came.event)
            take(world, came.event)
        return None
    # The farm's generation is raised in the same transaction.
    blueprint = blueprint_of(
        came.step,
        came.evidence,
        worker.newest,
        worker.seen,
        upgrade=UPGRADE,
        farm_generation=records.generation + 1,
        now=at(world.now),
        by=worker.name,
    )
    verdict = may_adopt(
        blueprint, records.newest, records.policy, seen, again, without=world.off.adoption
    )
    if not isinstance(verdict, Adopted):
        return verdict
    invariants.before_adoption(world, blueprint)
    apply(world, blueprint)
    return blueprint


def apply(world: World, blueprint: Blueprint) -> None:
    """Write down what follows from a blueprint at once: a flag, or a server's order."""
    records, step = world.records, blueprint.step
    records.generation = blueprint.farm_generation
    records.adopt(blueprint)
    world.changed()
    if step.server is None:
        return
    before = records.orders.get(step.server, Order(0))
    number = blueprint.generation
    is_relay = world.machines[step.server].is_relay
    match step.kind:
        case StepKind.INSTALL:
            # A switch that was obeyed is repeated in no later order.
            records.orders[step.server] = Order(number, step.release, rest=before.rest)
        case StepKind.SWITCH:
            records.orders[step.server] = Order(
                number, None, step.release, step.expects, rest=before.rest
            )
        case StepKind.REST:
            records.orders[step.server] = Order(number, rest=True)
        case StepKind.DRAIN:
            records.draining |= {step.server}
        case StepKind.SERVE:
            records.draining -= {step.server}
            if is_relay:
                records.orders[step.server] = Order(number, rest=False)
        case _:
            pass


def take(world: World, event: UpgradeEvent) -> bool:
    """Let something happen to the upgrade; nothing does if it cannot."""
    policy = world.records.policy
    if (policy.state, event) not in TRANSITIONS:
        return False
    forgiven = policy.forgiven
    newest = world.records.newest
    if event in {UpgradeEvent.RESUME, UpgradeEvent.ROLL_BACK} and newest is not None:
        forgiven = newest.generation
    runs_since = None if event is UpgradeEvent.ROLL_BACK else policy.runs_since
    state = after(policy.state, event)
    world.records.events.append(event)
    set_policy(world, replace(policy, state=state, forgiven=forgiven, runs_since=runs_since))
    return True


def keep_time(world: World, came: Plan) -> None:
    """Keep since when everything is there."""
    policy = world.records.policy
    if came.is_all_there is not (policy.runs_since is not None):
        set_policy(world, replace(policy, runs_since=at(world.now) if came.is_all_there else None))


def set_policy(world: World, policy: Policy) -> None:
    world.records.policy = policy
    world.changed()


def change_schema(world: World) -> None:
    """Carry out the newest blueprint that changes the schema, unless that was done, or failed."""
    records = world.records
    newest = next((one for one in reversed(records.history) if one.step.server is None), None)
    if newest is None or newest.epoch != records.epoch:
        return
    if records.schema.problem_of >= newest.generation:
        # What has failed, the worker leaves: it is planned anew once somebody resumes.
        return
    facts = world.schema_facts
    if world.is_database_full:
        records.schema = replace(records.schema, problem="no room", problem_of=newest.generation)
        world.changed()
        return
    if newest.step.kind is StepKind.EXPAND:
        if records.schema.step < facts.expands_to:
            readable = max(records.schema.readable_from, facts.readable_from)
            records.schema = replace(records.schema, step=facts.expands_to, readable_from=readable)
            invariants.after_schema_change(world)
            world.changed()
    elif facts.contracts_to is not None and records.schema.step < facts.contracts_to:
        records.schema = replace(
            records.schema, step=facts.contracts_to, readable_from=facts.contracts_to
        )
        invariants.after_schema_change(world)
        world.changed()


def read_canary(world: World) -> None:
    """Read through a server for the newest blueprint that asks for it and has no answer."""
    records = world.records
    later = set()
    for blueprint in reversed(records.history):
        step = blueprint.step
        if step.server in later or blueprint.epoch != records.epoch:
            continue
        later.add(step.server)
        if step.kind is not StepKind.CANARY or step.server is None or step.release is None:
            continue
        machine = world.machines.get(step.server)
        seen = records.canaries.get(step.server)
        if seen is not None and seen.blueprint >= blueprint.generation:
            continue
        if machine is None or not machine.is_up or machine.is_cut:
            continue
        if machine.release != step.release:
            continue
        problem = "chunk 7 is not what it should be" if machine.release in machine.bad else ""
        records.canaries[step.server] = Canary(
            step.server, step.release, blueprint.generation, at(world.now), problem
        )
        world.changed()
        return


def soaked(world: World) -> None:
    """Let the soak pass."""
    world.now += int(timedelta(hours=1).total_seconds())
