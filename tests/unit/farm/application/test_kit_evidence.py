"""By what a farm knows which kit a computer runs, and when it counts as upgraded."""

from dataclasses import replace
from typing import Final

import pytest
from tests.unit.farm.domain.computers import said

from corral.farm.application.rollout_machines import kit_evidence
from corral.farm.domain.computer.check_in import CheckIn, KitState, SeenKit
from corral.farm.domain.library.assignment import Upgrade, upgrade_of
from corral.farm.domain.library.release import Release
from corral.farm.domain.rollout.evidence import Digest

NEW: Final = Release.parse("5.0")
KIT: Final = Digest("ab" * 32)


def engine(release: str, state: KitState, running: str | None = None) -> CheckIn:
    kit = SeenKit(release, state, wanted="5.0", running=running)
    spoken = said(kit=kit)
    return replace(spoken, engine=replace(spoken.engine, release=release))


@pytest.mark.parametrize(
    ("release", "running", "is_it"),
    [
        ("5.0", str(KIT), True),
        # It came with its computer's package, or does not say.
        ("5.0", None, True),
        # Another build of the same release, and another release.
        ("5.0", "cd" * 32, False),
        ("4.5", None, False),
        ("4.5", str(KIT), False),
    ],
)
def test_an_engine_is_known_by_the_kit_that_it_was_started_from(
    release: str, running: str | None, *, is_it: bool
) -> None:
    evidence = kit_evidence(engine(release, KitState.CURRENT, running), KIT, NEW)
    assert (evidence.running == KIT) is is_it


def test_a_release_that_may_still_go_back_is_not_called_current() -> None:
    on_trial = upgrade_of(NEW, 0, engine("5.0", KitState.PROVING))
    assert (on_trial.upgrade, on_trial.detail) == (Upgrade.SIGNALLED, "proving")
    assert upgrade_of(NEW, 0, engine("5.0", KitState.CURRENT)).upgrade is Upgrade.CURRENT
