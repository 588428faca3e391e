"""Who may write the next blueprint down, and what the planner does not depend on."""

from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from tests.unit.farm.domain.farms import device, host, placement
from tests.unit.farm.domain.upgrades import (
    NEW,
    OLD_FARM,
    OLD_SCHEMA,
    Trial,
    engine,
    farm,
    inventory,
    manifest,
    relay,
    said,
    server,
    told,
)

from corral.farm.domain.estate.server import server_name
from corral.farm.domain.upgrade.adoption import (
    Adopted,
    NotAdopted,
    WhyNot,
    blueprint_of,
    may_adopt,
    next_generation,
)
from corral.farm.domain.upgrade.blueprint import Blueprint, StepKind, UpgradeNumber
from corral.farm.domain.upgrade.plan import Plan
from corral.farm.domain.upgrade.state import UpgradeState


def proposed(trial: Trial) -> Blueprint:
    came = trial.plan()
    assert came.step is not None
    newest = trial.history[-1] if trial.history else None
    return blueprint_of(
        came.step,
        came.evidence,
        newest,
        trial.seen,
        upgrade=UpgradeNumber(1),
        farm_generation=99,
        now=trial.now,
        by="w2",
    )


def test_the_first_of_two_that_plan_at_once_is_adopted() -> None:
    """S10, S22."""
    trial = Trial()
    mine = proposed(trial)
    assert may_adopt(mine, None, trial.policy, trial.seen, trial.plan()) == Adopted()
    theirs = trial.adopt()
    refused = may_adopt(mine, theirs, trial.policy, trial.seen, trial.plan())
    assert refused == NotAdopted(WhyNot.OVERTAKEN)
    assert "somebody adopted another" in str(refused)


@pytest.mark.parametrize(
    ("why", "state", "epoch", "order", "again"),
    [
        (WhyNot.STANDS_STILL, UpgradeState.PAUSED, 0, 0, None),
        (WhyNot.RESTORED, UpgradeState.RUNNING, 1, 0, None),
        (WhyNot.NOT_NEWER, UpgradeState.RUNNING, 0, 50, None),
        (WhyNot.CHANGED, UpgradeState.RUNNING, 0, 0, Plan()),
    ],
)
def test_what_was_planned_on_an_old_look_is_not_adopted(
    why: WhyNot, state: UpgradeState, epoch: int, order: int, again: Plan | None
) -> None:
    """S9, S18, S23."""
    trial = Trial()
    mine, planned = proposed(trial), trial.plan()
    trial.see("s3", order=order)
    seen = replace(trial.seen, epoch=epoch)
    policy = replace(trial.policy, state=state)
    assert may_adopt(mine, None, policy, seen, again or planned) == NotAdopted(why)


def test_no_server_has_obeyed_the_number_of_the_next_order() -> None:
    """S8: after a restore servers know of orders that the farm does not."""
    trial = Trial()
    newest = trial.adopt()
    assert next_generation(newest, trial.seen) == newest.generation + 1
    trial.see("s2", order=70)
    assert next_generation(newest, trial.seen) == 71


def stages() -> list[Trial]:
    """Give farms at each step of an upgrade."""
    found = []
    trial = Trial(inventory(*map(server, (1, 2, 3)), relay(1)))
    while trial.plan().step is not None:
        found.append(replace(trial, history=list(trial.history)))
        trial.step()
    return found


@pytest.mark.parametrize("number", range(len(stages())))
def test_the_order_and_the_names_of_servers_decide_nothing(number: int) -> None:
    trial = stages()[number]
    expected = trial.plan()
    for order in list(permutations(trial.seen.servers))[::5]:
        trial.also(servers=order)
        assert trial.plan().step == expected.step
    renamed = {one.name: server_name(f"x-{one.name}") for one in trial.seen.servers}
    hosts = tuple(replace(one, name=renamed[one.name]) for one in trial.seen.placement.hosts)
    trial.also(
        servers=tuple(replace(one, name=renamed[one.name]) for one in trial.seen.servers),
        placement=replace(trial.seen.placement, hosts=hosts),
    )
    assert trial.plan().step == expected.step


@pytest.mark.parametrize("number", range(len(stages())))
def test_more_redundancy_never_forbids(number: int) -> None:
    """A further server that has everything, and the new release, takes no step away."""
    trial = stages()[number]
    expected = trial.plan().step
    assert expected is not None
    extra = server(9, installed=frozenset({NEW, trial.policy.old}))
    place = trial.seen.placement
    more = tuple(replace(one, may_use=one.may_use | {extra.id}) for one in place.devices)
    trial.also(
        servers=(*trial.seen.servers, extra),
        placement=replace(place, hosts=(*place.hosts, host(9)), devices=more),
    )
    step = trial.plan().step
    assert step is not None
    # It may be the idle one's turn before that of the others.
    if expected.kind is not StepKind.DRAIN and not _relays(trial, expected.server):
        assert step == expected


def _relays(trial: Trial, server: object) -> bool:
    return any(one.id == server and one.is_relay for one in trial.seen.servers)


def test_fewer_facts_never_allow() -> None:
    """S13."""
    for name in ("backup", "known"):
        trial = Trial()
        trial.until(StepKind.EXPAND)
        trial.also(**{name: None if name == "backup" else ()})
        assert trial.plan().step is None
    unsaid: tuple[dict[str, Any], ...] = (
        {"release": None},
        {"is_online": False},
        {"installed": frozenset()},
    )
    for said_of in unsaid:
        trial = Trial()
        trial.until(StepKind.DRAIN)
        trial.see("s3", **said_of)
        step = trial.plan().step
        assert step is None or step.kind is StepKind.INSTALL
    trial = Trial()
    trial.until(StepKind.DRAIN)
    trial.also(computers=(("laptop", None),))
    assert trial.plan().step is None


def test_who_is_missed_most_comes_last() -> None:
    trial = Trial()
    trial.until(StepKind.DRAIN)
    busy = [device(number, 1, 1, 2, 3) for number in range(4)]
    trial.also(placement=placement([host(1), host(2), host(3)], [*busy, device(9, 2, 1, 2, 3)]))
    step = trial.plan().step
    assert step is not None
    assert said(step, trial) == "drain s3"


def test_a_circle_is_named_in_the_first_line() -> None:
    """L3: the farm waits for computers, and the only engine for them waits for the farm."""
    two = farm("2.0", schema={**OLD_SCHEMA}, publishes_image_format=2)
    cure = manifest("engine", "2.0", runs_image_formats=[1, 2], oldest_farm="2.0")
    trial = Trial(inventory(known=(OLD_FARM, two, cure)), facts=two)
    trial.also(computers=(("laptop", engine("1.0", 1)),))
    trial.run()
    first = trial.plan().blocked[0]
    assert first.risk == "wait-for-each-other computer laptop and farm"
    assert first.message.endswith("computer laptop waits for farm, which waits for computer laptop")
    free = manifest("engine", "1.9", runs_image_formats=[1, 2])
    trial.also(known=(OLD_FARM, two, cure, free))
    assert told(trial.plan())[0] == "computers-behind computer laptop"
