"""What could not be done pauses an upgrade; who begins a step and is gone keeps nobody waiting."""

from tests.unit.farm.domain.upgrades import (
    NEW,
    Trial,
    drained,
    next_of,
    release,
    switched,
    told,
)

from corral.farm.domain.upgrade.blueprint import StepKind
from corral.farm.domain.upgrade.state import UpgradeEvent

DRAIN_S1 = "drain s1"


def test_a_problem_pauses_until_a_person_resumes_and_is_then_tried_again() -> None:
    trial = drained()
    order = trial.adopt()
    trial.see(
        "s1",
        configured=order.farm_generation,
        problem="the disk is full",
        problem_of=order.generation,
    )
    plan = trial.plan()
    assert plan.event is UpgradeEvent.PAUSE
    assert "the disk is full" in plan.evidence
    trial.take(UpgradeEvent.PAUSE)
    assert trial.plan().step is None
    trial.wish(forgiven=order.generation)
    trial.take(UpgradeEvent.RESUME)
    assert next_of(trial) == "switch s1 2.0"
    again = trial.adopt()
    assert again.generation > order.generation
    trial.see("s1", configured=again.farm_generation)
    assert next_of(trial) == ""
    assert "step-under-way server s1" in told(trial.plan())


def test_whoever_goes_back_has_heard_of_what_failed_on_the_way_forward() -> None:
    trial = drained()
    order = trial.adopt()
    told_so = {"problem": "it did not prove itself", "problem_of": order.generation}
    trial.see("s1", configured=order.farm_generation, **told_so)
    trial.take(UpgradeEvent.PAUSE)
    trial.take(UpgradeEvent.ROLL_BACK)
    assert trial.plan().event is None
    assert trial.run() == ["switch s1 1.0", "canary s1", "serve s1"]


def test_an_old_problem_is_not_taken_for_one_of_the_newest_order() -> None:
    trial = drained()
    order = trial.adopt()
    trial.see("s1", configured=order.farm_generation, problem="of old", problem_of=3)
    assert trial.plan().event is None
    assert "step-under-way server s1" in told(trial.plan())


def test_a_release_that_went_back_by_itself_without_a_word_is_a_failure() -> None:
    trial = drained()
    order = trial.adopt()
    trial.see("s1", configured=order.farm_generation, order=order.generation)
    plan = trial.plan()
    assert plan.event is UpgradeEvent.PAUSE
    assert "runs 1.0 again" in plan.evidence


def test_a_canary_that_reads_something_wrong_pauses() -> None:
    """S4."""
    trial = switched()
    trial.adopt()
    trial.see("s1", configured=trial.generation)
    assert "step-under-way server s1" in told(trial.plan())
    trial.canary("s1", "chunk 7 of debian/1")
    plan = trial.plan()
    assert plan.event is UpgradeEvent.PAUSE
    assert "chunk 7 of debian/1" in plan.evidence
    trial.wish(forgiven=trial.history[-1].generation)
    assert next_of(trial) == "canary s1"


def test_what_a_worker_was_to_do_another_does_once_it_is_gone() -> None:
    """Nobody else would ever end it: a canary, and a change of the schema."""
    trial = switched()
    trial.adopt()
    trial.see("s1", configured=trial.generation)
    trial.also(workers=frozenset({"w1", "w2"}))
    assert "step-under-way server s1" in told(trial.plan())
    trial.also(workers=frozenset({"w2"}))
    assert next_of(trial) == "canary s1"

    trial = Trial()
    trial.until(StepKind.EXPAND)
    trial.adopt()
    trial.also(workers=frozenset({"w1"}))
    assert "step-under-way farm" in told(trial.plan())
    trial.also(workers=frozenset())
    assert next_of(trial) == "expand"


def test_a_read_that_another_step_of_the_server_came_after_is_taken_anew() -> None:
    """L1: its worker looks at the last step of each server only, and lives."""
    trial = switched()
    read = trial.adopt()
    trial.also(workers=frozenset({"w1"}))
    trial.see("s1", configured=read.farm_generation)
    assert "step-under-way server s1" in told(trial.plan())
    # Somebody tries a release of their own there, and brings it back.
    trial.see("s1", release=release("2.1"), installed=frozenset({release("2.1")}))
    assert next_of(trial) == "install s1 2.0"
    trial.step()
    trial.see("s1", release=NEW)
    assert next_of(trial) == "canary s1"


def test_what_was_begun_before_a_restore_is_planned_anew() -> None:
    """S5: the backup that it was begun with is of another epoch; nobody carries it out any more."""
    trial = Trial()
    trial.until(StepKind.EXPAND)
    trial.adopt()
    trial.also(workers=frozenset({"w1"}))
    assert "step-under-way farm" in told(trial.plan())
    trial.also(epoch=1)
    trial.accept("farm-restored epoch 1")
    assert "backup-lacking farm" in told(trial.plan())
    assert "step-under-way farm" not in told(trial.plan())
