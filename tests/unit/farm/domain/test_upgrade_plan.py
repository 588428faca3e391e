"""The next step of an upgrade: what comes after what, and what counts as seen.

S1 and the like number the invariants of docs/explanation/upgrades.md.
"""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.unit.farm.domain.farms import device, host, placement
from tests.unit.farm.domain.upgrades import (
    NEW,
    NEW_SCHEMA,
    OLD,
    OLD_FARM,
    Trial,
    drained,
    farm,
    inventory,
    next_of,
    relay,
    server,
    switched,
    told,
)

from corral.farm.domain.upgrade.blueprint import Step, StepKind
from corral.farm.domain.upgrade.state import UpgradeEvent, UpgradeState

DRAIN_S1 = "drain s1"


def test_a_farm_is_upgraded_server_by_server_and_ends_waiting_for_a_person() -> None:
    trial = Trial(inventory(*(server(number) for number in (1, 2, 3)), relay(1)))
    assert trial.run() == [
        "install s1 2.0",
        "install s2 2.0",
        "install s3 2.0",
        "install r1 2.0",
        "expand",
        *("drain s1", "switch s1 2.0", "canary s1", "serve s1"),
        *("drain s3", "switch s3 2.0", "canary s3", "serve s3"),
        *("drain s2", "switch s2 2.0", "canary s2", "serve s2"),
        *("rest r1", "switch r1 2.0", "serve r1"),
    ]
    assert trial.plan().is_all_there
    trial.wish(runs_since=trial.now)
    assert told(trial.plan()) == ["soaking farm"]
    trial.now += timedelta(hours=1)
    assert trial.plan().event is UpgradeEvent.ARRIVE
    trial.take(UpgradeEvent.ARRIVE)
    assert trial.plan().step is None
    assert trial.plan().event is None
    trial.take(UpgradeEvent.FINALISE)
    assert trial.run() == ["contract"]
    assert trial.plan().event is UpgradeEvent.CONTRACT


def test_a_way_back_is_the_same_machinery_and_leaves_the_schema_expanded() -> None:
    """L4."""
    trial = Trial()
    trial.until(StepKind.DRAIN, "s2")
    trial.take(UpgradeEvent.ROLL_BACK)
    assert trial.run() == [
        *("drain s3", "switch s3 1.0", "canary s3", "serve s3"),
        *("drain s1", "switch s1 1.0", "canary s1", "serve s1"),
    ]
    assert trial.seen.schema.step == "0033"
    assert trial.plan().event is UpgradeEvent.ARRIVE


def test_relays_rest_before_the_first_server_if_they_have_to_equal_the_farm() -> None:
    """S7. The same relays serve on, and follow, if the new release says so."""
    equal = farm("2.0", schema=NEW_SCHEMA)
    seen = inventory(*map(server, (1, 2, 3)), relay(1), relay(2), known=(OLD_FARM, equal))
    trial = Trial(seen, facts=equal)
    assert trial.run()[5:] == [
        *("expand", "rest r1", "rest r2"),
        *("drain s1", "switch s1 2.0", "canary s1", "serve s1"),
        *("drain s3", "switch s3 2.0", "canary s3", "serve s3"),
        *("drain s2", "switch s2 2.0", "canary s2", "serve s2"),
        *("switch r1 2.0", "serve r1", "switch r2 2.0", "serve r2"),
    ]
    trial.take(UpgradeEvent.ROLL_BACK)
    assert trial.run()[:3] == ["rest r1", "rest r2", "drain s2"]


def test_relays_that_may_be_older_go_back_before_the_servers() -> None:
    """S7: the same fact that lets them follow makes them first on the way back."""
    trial = Trial(inventory(*map(server, (1, 2, 3)), relay(1)))
    assert trial.run()[-3:] == ["rest r1", "switch r1 2.0", "serve r1"]
    trial.take(UpgradeEvent.ROLL_BACK)
    assert trial.run()[:4] == ["rest r1", "switch r1 1.0", "serve r1", "drain s2"]


def test_a_relay_does_not_rest_while_no_server_can_be_switched() -> None:
    equal = farm("2.0", schema=NEW_SCHEMA)
    trial = Trial(
        inventory(*map(server, (1, 2, 3)), relay(1), known=(OLD_FARM, equal)), facts=equal
    )
    trial.until(StepKind.REST)
    trial.also(rollouts=("laptops",))
    assert trial.plan().step is None
    trial.also(rollouts=())
    trial.step()
    trial.also(rollouts=("laptops",))
    assert next_of(trial) == "serve r1"


def test_those_named_first_are_first_and_whoever_is_missed_most_is_last() -> None:
    trial = Trial()
    trial.wish(first=("s2",))
    order = [one for one in trial.run() if one.startswith("drain")]
    assert order == ["drain s2", "drain s3", "drain s1"]


def test_nobody_comes_before_those_named_first_even_if_they_cannot_be_drained() -> None:
    trial = Trial()
    trial.wish(first=("s2",))
    trial.until(StepKind.DRAIN)
    trial.see("s2", is_supervised=False)
    assert trial.plan().step is None
    assert "first-ones-first server s1" in told(trial.plan())


def test_what_a_server_said_before_its_last_touch_says_nothing() -> None:
    """S9."""
    trial = Trial()
    trial.until(StepKind.DRAIN)
    blueprint = trial.adopt()
    assert trial.server("s1").configured < blueprint.farm_generation
    trial.also(placement=placement([host(1), host(2), host(3)], []))
    assert next_of(trial) == ""
    assert "not-heard-since server s1" in told(trial.plan())
    trial.see("s1", configured=blueprint.farm_generation)
    assert next_of(trial) == "switch s1 2.0"


def test_a_server_is_not_switched_while_a_device_reads_from_it() -> None:
    trial = drained()
    trial.see("s1", session_count=1)
    assert next_of(trial) == ""
    assert "devices-still-there server s1" in told(trial.plan())
    trial.see("s1", session_count=0)
    spare = replace(device(7, 2, 1, 2, 3), connected_to=frozenset({trial.server("s1").id}))
    trial.also(placement=placement([host(1, takes_devices=False), host(2), host(3)], [spare]))
    assert next_of(trial) == ""


def test_one_server_is_out_at_a_time() -> None:
    """S2."""
    trial = switched()
    trial.see("s1", is_ready=False)
    assert next_of(trial) == ""
    assert told(trial.plan()) == [
        "not-ready server s1",
        "redundancy-spent server s3",
        "redundancy-spent server s2",
    ]


@pytest.mark.parametrize(
    "how",
    [
        {"is_online": False},
        {"is_draining": True},
        {"is_in_maintenance": True},
        {"is_ready": False},
    ],
)
def test_nothing_is_begun_while_any_redundancy_is_spent(how: dict[str, bool]) -> None:
    """S2, S13: a server that crashed counts, and one of which nobody knows."""
    trial = Trial()
    trial.until(StepKind.DRAIN)
    trial.see("s3", **how)
    assert next_of(trial) == ""
    assert "redundancy-spent server s1" in told(trial.plan())


def test_a_drained_server_serves_again_when_another_is_lost() -> None:
    trial = drained()
    trial.see("s2", is_online=False)
    assert next_of(trial) == "serve s1"


def test_a_switched_server_is_finished_when_another_is_lost() -> None:
    trial = switched()
    trial.see("s2", is_online=False)
    trial.step()
    assert next_of(trial) == "serve s1"


def test_a_server_that_came_back_serving_in_the_middle_is_planned_anew() -> None:
    """L5: nothing waits for the end of a step."""
    trial = drained()
    trial.adopt()
    trial.see("s1", is_draining=False, configured=trial.generation)
    assert next_of(trial) == DRAIN_S1


def test_a_way_back_calls_an_order_back_that_was_not_carried_out_yet() -> None:
    """The server might still carry it out: it is given a newer order before it serves again."""
    trial = drained()
    order = trial.adopt()
    trial.take(UpgradeEvent.ROLL_BACK)
    assert next_of(trial) == ""
    trial.see("s1", configured=order.farm_generation)
    assert next_of(trial) == "switch s1 1.0"
    assert trial.run() == ["switch s1 1.0", "canary s1", "serve s1"]


def test_a_way_back_of_a_drained_server_that_was_not_switched_just_serves_again() -> None:
    trial = drained()
    trial.take(UpgradeEvent.ROLL_BACK)
    assert trial.run() == ["serve s1"]


def test_who_leaves_opens_the_upgrade_again() -> None:
    trial = Trial()
    trial.run()
    trial.wish(state=UpgradeState.AWAITING_FINALISE)
    assert trial.plan().event is None
    trial.see("s2", release=OLD)
    assert trial.plan().event is UpgradeEvent.LEAVE


def test_a_step_that_takes_long_is_told_of() -> None:
    """L2."""
    trial = drained()
    order = trial.adopt()
    trial.see("s1", configured=order.farm_generation)
    trial.now += timedelta(minutes=11)
    assert trial.plan().blocked[0].risk == "step-overdue server s1"


def test_every_step_that_is_blocked_says_what_ends_it() -> None:
    trial = Trial()
    trial.also(backup=None, rollouts=("laptops",))
    trial.run()
    assert [(one.risk, one.can_be_accepted) for one in trial.plan().blocked] == [
        ("rollout-under-way rollout laptops", True),
        ("backup-lacking farm", False),
    ]
    assert all(one.message and one.way_out for one in trial.plan().blocked)


def test_a_step_names_what_the_server_must_run_for_it() -> None:
    trial = drained()
    assert trial.plan().step == Step(StepKind.SWITCH, trial.server("s1").id, NEW, OLD)
