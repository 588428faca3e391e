"""When the schema of a farm that is upgraded is expanded, and when it is contracted."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.unit.farm.domain.upgrades import (
    NEW,
    NEW_FARM,
    NEW_SCHEMA,
    OLD,
    OLD_FARM,
    Trial,
    farm,
    inventory,
    next_of,
    relay,
    server,
    told,
)

from corral.farm.domain.upgrade.blueprint import StepKind
from corral.farm.domain.upgrade.inventory import SeenSchema, VerifiedBackup
from corral.farm.domain.upgrade.look import Look
from corral.farm.domain.upgrade.schema_steps import would_lose_somebody
from corral.farm.domain.upgrade.state import UpgradeEvent, UpgradeState
from corral.farm.domain.upgrade.touches import Touches

DRAIN_S1 = "drain s1"


@pytest.mark.parametrize(
    ("backup", "words"),
    [
        (None, "none was ever verified"),
        (VerifiedBackup(timedelta(hours=25), "0031", 0, NEW), "25 hours old"),
        (VerifiedBackup(timedelta(hours=1), "0030", 0, NEW), "schema 0030"),
        (VerifiedBackup(timedelta(hours=1), "0031", 7, NEW), "before the farm was restored"),
    ],
)
def test_the_schema_is_expanded_only_with_a_backup_that_was_restored_once(
    backup: VerifiedBackup | None, words: str
) -> None:
    """S5."""
    trial = Trial()
    trial.until(StepKind.EXPAND)
    trial.also(backup=backup)
    plan = trial.plan()
    assert plan.step is None
    assert plan.blocked[0].risk == "backup-lacking farm"
    assert words in plan.blocked[0].message
    trial.accept("backup-lacking farm")
    assert trial.plan().step is None


def test_the_schema_is_expanded_only_if_every_server_works_on_it() -> None:
    """S3."""
    hasty = farm("2.0", schema={**NEW_SCHEMA, "readable_from": "0032"})
    trial = Trial(inventory(known=(OLD_FARM, hasty)), facts=hasty)
    trial.run()
    assert "schema-unreadable farm-1.0" in told(trial.plan())


def test_who_could_not_work_on_a_change_that_was_begun_long_ago_is_seen() -> None:
    """S3: an outage kept its worker from it, and a server was taken down meanwhile."""
    older = farm("0.9", schema={"expands_to": "0028", "readable_from": "0028"})
    trial = Trial(inventory(known=(OLD_FARM, older, NEW_FARM)))

    def loses(kind: StepKind) -> bool:
        touches = Touches.of(trial.history)
        return would_lose_somebody(
            Look(trial.policy, trial.seen, touches, trial.facts, trial.now), kind
        )

    trial.until(StepKind.EXPAND)
    assert not loses(StepKind.EXPAND)
    assert loses(StepKind.CONTRACT)
    trial.see("s2", release=older.release)
    assert loses(StepKind.EXPAND)
    trial.see("s2", release=OLD)
    trial.run()
    assert not loses(StepKind.CONTRACT)
    trial.see("s2", is_online=False)
    assert loses(StepKind.CONTRACT)


def test_an_expanded_schema_is_seen_whoever_did_it() -> None:
    trial = Trial()
    trial.until(StepKind.EXPAND)
    trial.also(schema=SeenSchema("0033", "0031"))
    assert next_of(trial) == DRAIN_S1


def test_nothing_is_contracted_before_somebody_finalises_and_everything_is_new() -> None:
    """S5."""
    trial = Trial()
    trial.run()
    trial.wish(state=UpgradeState.FINALISING)
    assert next_of(trial) == "contract"
    trial.see("s3", is_online=False)
    assert trial.plan().step is None
    trial.accept("server-silent server s3")
    assert trial.plan().step is None
    assert "not-all-there server s3" in told(trial.plan())


@pytest.mark.parametrize("what", ["server s3", "relay r1"])
def test_nothing_is_contracted_while_somebody_does_not_say_what_it_runs(what: str) -> None:
    """S5: who answers for it may not know what became of it since, and there is no way back."""
    trial = Trial(inventory(*(server(one) for one in (1, 2, 3)), relay(1)))
    trial.run()
    trial.wish(state=UpgradeState.FINALISING)
    assert next_of(trial) == "contract"
    trial.see(what.split()[1], release=None)
    trial.accept(f"release-unknown {what}")
    assert trial.plan().step is None
    assert told(trial.plan()) == [f"not-all-there {what}"]
    trial.see(what.split()[1], release=NEW)
    assert next_of(trial) == "contract"


def test_a_way_back_that_the_schema_has_closed_stops_the_way_forward() -> None:
    """S17: somebody contracted by hand."""
    trial = Trial()
    trial.until(StepKind.DRAIN)
    trial.also(schema=SeenSchema("0034", "0034"))
    assert trial.plan().step is None
    assert "schema-unreadable server s1" in told(trial.plan())


def test_the_schema_step_that_failed_pauses() -> None:
    trial = Trial()
    trial.until(StepKind.EXPAND)
    begun = trial.adopt()
    assert told(trial.plan())[0] == "step-under-way farm"
    seen = replace(trial.seen.schema, problem="no room", problem_of=begun.generation)
    trial.also(schema=seen)
    assert trial.plan().event is UpgradeEvent.PAUSE
    trial.wish(forgiven=begun.generation)
    assert next_of(trial) == "expand"
