"""What has to be there before an upgrade disturbs anything: a backup that is read, pre-actions."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.unit.farm.domain.upgrades import NEW_FARM, OLD, OLD_FARM, Trial, inventory

from corral.farm.domain.library.manifest import PreAction, PreActionKind
from corral.farm.domain.library.release import Release
from corral.farm.domain.upgrade.blueprint import Step, StepKind
from corral.farm.domain.upgrade.explain import explain, runbook
from corral.farm.domain.upgrade.inventory import VerifiedBackup


@pytest.mark.parametrize(
    ("reader", "words"), [(None, "read by no other release"), (OLD, "read by 1.0, and not by 2.0")]
)
def test_the_schema_is_expanded_only_with_a_backup_that_the_new_release_has_read(
    reader: Release | None, words: str
) -> None:
    trial = Trial()
    trial.until(StepKind.EXPAND)
    trial.also(backup=VerifiedBackup(timedelta(hours=1), "0031", 0, reader))
    plan = trial.plan()
    assert plan.step is None
    assert plan.blocked[0].risk == "backup-unread farm"
    assert words in plan.blocked[0].message
    trial.accept("backup-unread farm")
    assert trial.plan().step == Step(StepKind.EXPAND)


def test_what_the_release_asks_for_is_done_before_anything_is_disturbed() -> None:
    first = (
        PreAction(PreActionKind.BACKUP_WITH_CHUNKS, "it writes packs anew", "backup-with-chunks"),
        PreAction(PreActionKind.BY_HAND, "port 7 forgets", "swap-switch"),
        PreAction(PreActionKind.BY_HAND, "of old", "not-for-us", before=OLD),
    )
    facts = replace(NEW_FARM, upgrades=replace(NEW_FARM.upgrades, first=first))
    trial = Trial(inventory(known=(OLD_FARM, facts)), facts=facts)
    assert {one.split()[0] for one in trial.run()} == {"install"}
    plan = trial.plan()
    assert [one.risk for one in plan.blocked] == [
        "pre-action-open action backup-with-chunks",
        "pre-action-open action swap-switch",
    ]
    assert "port 7 forgets (fact farm-2.0/first)" in plan.blocked[1].message
    assert trial.seen.backup is not None
    trial.also(backup=replace(trial.seen.backup, has_chunks=True))
    assert [one.what.thing for one in trial.plan().blocked] == ["action swap-switch"]
    trial.accept("pre-action-open action swap-switch")
    assert trial.plan().step == Step(StepKind.EXPAND)


def test_plan_and_runbook_show_what_the_release_asks_for() -> None:
    first = (PreAction(PreActionKind.BY_HAND, "port 7 forgets", "swap-switch"),)
    facts = replace(NEW_FARM, upgrades=replace(NEW_FARM.upgrades, first=first))
    trial = Trial(inventory(known=(OLD_FARM, facts)), facts=facts)
    for tell in (explain, runbook):
        text = tell(trial.policy, trial.seen, facts, trial.now)
        asked = text.index("action swap-switch: farm-2.0 asks for it")
        assert asked < text.lower().index("expand the schema"), text
