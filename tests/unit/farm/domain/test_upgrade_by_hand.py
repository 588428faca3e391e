"""What people do beside an upgrade, or say to it: it stands still until it is accepted."""

from datetime import timedelta

from tests.unit.farm.domain.upgrades import (
    NEW,
    NEW_FARM,
    OLD,
    OLD_FARM,
    OLD_SCHEMA,
    Trial,
    devices,
    drained,
    farm,
    inventory,
    next_of,
    release,
    switched,
    told,
)

from corral.farm.domain.upgrade.blueprint import StepKind
from corral.farm.domain.upgrade.obstacle import Obstacle
from corral.farm.domain.upgrade.state import UpgradeEvent

DRAIN_S1 = "drain s1"


def test_a_server_that_somebody_upgraded_by_hand_is_named_and_taken_as_it_is_if_accepted() -> None:
    """S24."""
    trial = Trial()
    trial.until(StepKind.DRAIN)
    trial.see("s2", release=NEW, installed=frozenset({OLD, NEW}))
    assert "release-unordered server s2" in told(trial.plan())
    trial.accept("release-unordered server s2")
    assert next_of(trial) == "canary s2"
    trial.step()
    assert next_of(trial) == DRAIN_S1
    # Once it was looked at, it counts, whatever becomes of the acceptance.
    trial.now += timedelta(hours=2)
    assert next_of(trial) == DRAIN_S1


def test_what_was_taken_down_by_hand_stands_still_until_somebody_accepts_it() -> None:
    """S24."""
    trial = Trial()
    trial.until(StepKind.DRAIN, "s3")
    assert trial.server("s1").release == NEW
    trial.see("s1", release=OLD)
    assert "release-unordered server s1" in told(trial.plan())
    trial.run()
    assert trial.plan().event is None
    assert trial.plan().blocked[0].risk == "release-unordered server s1"
    trial.accept("release-unordered server s1")
    assert next_of(trial) == DRAIN_S1


def test_a_server_drained_by_hand_is_read_and_serves_again_before_those_that_come_first() -> None:
    """L1: it waits for the first one to be upgraded, and that one for it to be back."""
    trial = Trial()
    trial.also(placement=devices(count=0))
    trial.wish(first=("s2",))
    trial.run()
    trial.see("s2", release=OLD)
    trial.see("s3", release=OLD, is_draining=True)
    trial.accept("release-unordered server s2")
    trial.accept("release-unordered server s3")
    trial.accept("drained-by-hand server s3")
    assert next_of(trial) == "canary s3"
    trial.step()
    trial.wish(forgiven=trial.history[-1].generation)
    assert trial.run() == [
        "serve s3",
        *("drain s2", "switch s2 2.0", "canary s2", "serve s2"),
        *("drain s3", "switch s3 2.0", "canary s3", "serve s3"),
    ]


def test_what_was_begun_on_a_server_drained_by_hand_is_ended_before_the_first_ones() -> None:
    """L1: the first one was taken down meanwhile, and waits for it to be back."""
    trial = Trial()
    trial.also(placement=devices(count=0))
    trial.wish(first=("s2",))
    trial.until(StepKind.DRAIN, "s1")
    trial.see("s1", is_draining=True)
    trial.accept("drained-by-hand server s1")
    assert next_of(trial) == "switch s1 2.0"
    switch = trial.adopt()
    trial.see("s1", configured=switch.farm_generation, problem="no", problem_of=switch.generation)
    trial.see("s2", release=OLD)
    trial.accept("release-unordered server s2")
    trial.wish(forgiven=switch.generation)
    assert trial.run()[:4] == ["switch s1 2.0", "canary s1", "serve s1", "drain s2"]


def test_what_read_wrongly_is_not_tried_again_because_somebody_changed_the_server() -> None:
    """P7: it was changed before anybody had heard that the canary failed."""
    own = farm("1.5", schema=OLD_SCHEMA)
    trial = switched()
    trial.also(known=(OLD_FARM, own, NEW_FARM))
    read = trial.adopt()
    trial.canary("s1", "chunk 7 of debian/1")
    trial.see("s1", configured=read.farm_generation, release=own.release)
    trial.accept("release-foreign server s1")
    assert trial.plan().event is UpgradeEvent.PAUSE
    assert trial.plan().blocked[0].risk == "canary-failed server s1"
    trial.wish(forgiven=read.generation)
    assert trial.run()[:3] == ["switch s1 2.0", "canary s1", "serve s1"]


def test_a_release_of_its_own_is_upgraded_once_accepted_and_never_taken_down() -> None:
    """S24."""
    own = farm("1.5", schema=OLD_SCHEMA)
    trial = Trial(inventory(known=(OLD_FARM, own, NEW_FARM)))
    trial.until(StepKind.DRAIN)
    trial.see("s1", release=release("1.5"))
    assert next_of(trial) == "drain s2"
    trial.accept("release-foreign server s1")
    assert next_of(trial) == DRAIN_S1
    trial.see("s1", release=release("2.1"))
    assert next_of(trial) == "drain s2"
    trial.accept("release-newer server s1")
    assert next_of(trial) == "drain s2"
    assert "release-newer server s1" in told(trial.plan())


def test_an_unknown_release_is_named_and_can_be_taken_for_the_old_one() -> None:
    """S13."""
    trial = Trial()
    trial.until(StepKind.DRAIN)
    trial.see("s1", release=None)
    assert next_of(trial) == ""
    assert "release-unknown server s1" in told(trial.plan())
    trial.accept("release-unknown server s1")
    assert next_of(trial) == DRAIN_S1


def test_after_a_restore_nothing_is_done_until_somebody_has_looked() -> None:
    """S23."""
    trial = Trial()
    trial.until(StepKind.DRAIN)
    trial.also(epoch=1)
    assert told(trial.plan()) == ["farm-restored epoch 1"]
    trial.accept("farm-restored epoch 1")
    assert next_of(trial) == DRAIN_S1


def test_an_acceptance_ends() -> None:
    trial = Trial()
    trial.also(rollouts=("laptops",))
    trial.accept("rollout-under-way rollout laptops", hours=1)
    trial.until(StepKind.EXPAND)
    trial.now += timedelta(hours=1)
    assert trial.plan().step is None


def test_paused_means_that_no_step_begins() -> None:
    """S18."""
    trial = drained()
    trial.take(UpgradeEvent.PAUSE)
    plan = trial.plan()
    assert plan.step is None
    assert plan.blocked[0].what.obstacle is Obstacle.UPGRADE_PAUSED
