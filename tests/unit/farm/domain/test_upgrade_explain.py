"""Both classic orders follow from two files of facts, and are told before anything happens."""

from datetime import timedelta
from pathlib import Path

import pytest
from tests.unit.farm.domain.upgrades import (
    NOW,
    Trial,
    devices,
    inventory,
    relay,
    release,
    said,
    server,
)

from corral.farm.domain.estate.server import server_name
from corral.farm.domain.library.compatibility import EngineFacts
from corral.farm.domain.library.manifest import ReleaseManifest, read_manifest
from corral.farm.domain.upgrade.blueprint import StepKind
from corral.farm.domain.upgrade.explain import explain, runbook
from corral.farm.domain.upgrade.inventory import SeenConsole, VerifiedBackup
from corral.farm.domain.upgrade.policy import Policy
from corral.farm.domain.upgrade.rehearsal import rehearse
from corral.farm.domain.upgrade.state import UpgradeEvent, UpgradeState

FACTS = Path(__file__).parent / "facts"
LIKE = ("synchronizer", "provisioning")


def releases(like: str) -> tuple[ReleaseManifest, ...]:
    """Read the manifests of a file: one in each paragraph."""
    text = (FACTS / f"{like}.json").read_text(encoding="utf-8")
    return tuple(read_manifest(one) for one in text.split("\n\n") if one.strip())


def begun(like: str) -> Trial:
    """Give a farm with a relay, two computers and a console, upgraded from 4.5 to 5.0."""
    known = releases(like)
    old, new = release("4.5"), release("5.0")
    facts = next(one for one in known if one.name == "farm-5.0")
    engine = next(one for one in known if one.name == "engine-4.5")
    both = frozenset({old, new})
    seats = [
        server(number, release=old, installed=frozenset({old}), staged=both) for number in (1, 2, 3)
    ]
    branch = relay(1, release=old, installed=frozenset({old}), staged=both)
    seen = inventory(
        *seats,
        branch,
        placement=devices(6),
        known=known,
        computers=(("rboston", EngineFacts.of(engine)), ("bsmith", EngineFacts.of(engine))),
        consoles=(SeenConsole("ann", old, NOW),),
        backup=VerifiedBackup(timedelta(hours=2), "0031", 0, new),
    )
    return Trial(seen, Policy(old, new, UpgradeState.RUNNING, first=(server_name("s2"),)), facts)


@pytest.mark.parametrize("like", LIKE)
def test_the_order_is_told_as_it_follows_from_the_facts(like: str) -> None:
    trial = begun(like)
    told = explain(trial.policy, trial.seen, trial.facts, trial.now)
    assert told == (FACTS / f"{like}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("like", LIKE)
def test_the_runbook_has_the_same_steps_with_their_commands(like: str) -> None:
    trial = begun(like)
    told = runbook(trial.policy, trial.seen, trial.facts, trial.now)
    assert told == (FACTS / f"{like}-runbook.md").read_text(encoding="utf-8")


def test_what_is_told_is_what_happens_if_nothing_fails() -> None:
    trial = Trial(inventory(*map(server, (1, 2, 3)), relay(1)))
    scenes = rehearse(trial.policy, trial.seen, (), trial.facts, trial.now)
    rehearsed = [said(one.blueprint.step, trial) for one in scenes if one.blueprint is not None]
    happened = trial.run()
    trial.wish(runs_since=trial.now - trial.policy.soak)
    trial.take(UpgradeEvent.ARRIVE)
    trial.take(UpgradeEvent.FINALISE)
    assert rehearsed == [*happened, *trial.run()]


def test_a_way_back_is_told_from_the_middle() -> None:
    trial = Trial()
    trial.until(StepKind.DRAIN, "s2")
    trial.take(UpgradeEvent.ROLL_BACK)
    told = explain(trial.policy, trial.seen, trial.facts, trial.now, trial.history)
    assert "switch s1 to 1.0" in told
    assert told.rstrip().endswith("because every server and relay was seen to serve 1.0")


def test_what_no_rehearsal_can_suppose_ends_it() -> None:
    trial = Trial()
    trial.until(StepKind.DRAIN)
    trial.see("s1", release=release("9.0"))
    told = explain(trial.policy, trial.seen, trial.facts, trial.now, trial.history)
    assert "release-newer" in told
    assert told.rstrip().endswith("how it goes on from there cannot be supposed")
