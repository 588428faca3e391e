"""Each guard is there for something: without it an invariant breaks. The page keeps how."""

import re
from functools import reduce
from operator import or_
from pathlib import Path

import pytest

from corral.farm.domain.upgrade.obstacle import Obstacle
from tests.simulation.upgrade.guards import NO_GUARDS, all_guards, played
from tests.simulation.upgrade.histories import run
from tests.simulation.upgrade.world import GuardsOff

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "explanation" / "upgrades.md"
ROW = re.compile(
    r"^\| `([^`]+)` \| (\S+) \| .* \| (\d+) \|$|^\| `([^`]+)` \| - \|.*$", re.MULTILINE
)
GUARDS = {one.name: one for one in all_guards()}
ANEW = "run python -m tools.upgrade_guards"


def rows() -> list[tuple[str, str | None, int]]:
    """Give each row: the guard, or two; the invariant, if one breaks; and the seed."""
    text = PAGE.read_text(encoding="utf-8").partition("<!-- guards")[2]
    return [
        (unbroken, None, 0) if unbroken else (name, invariant, int(seed))
        for name, invariant, seed, unbroken in ROW.findall(text.partition("<!-- end")[0])
    ]


def test_the_table_has_every_guard() -> None:
    assert {name for name, _, _ in rows() if "+" not in name} == set(GUARDS), ANEW
    assert {part for name, _, _ in rows() for part in name.split(" + ")} == set(GUARDS), ANEW


@pytest.mark.parametrize(("name", "invariant", "seed"), [one for one in rows() if one[1]])
def test_without_its_guard_the_invariant_of_the_table_breaks(
    name: str, invariant: str, seed: int
) -> None:
    parts = [GUARDS[part] for part in name.split(" + ")]
    assert invariant in played(seed, reduce(or_, parts)).broken, ANEW
    # With all guards the same history breaks nothing; with one of two, not this.
    assert run(seed).broken == []
    if len(parts) > 1:
        assert not any(invariant in played(seed, one).broken for one in parts)


def test_a_guard_that_nobody_asked_for_may_as_well_be_off() -> None:
    """What saves the pairs most of their histories."""
    guards = all_guards()
    for seed in range(3):
        for one, other in zip(guards[::5], guards[3::5], strict=False):
            play = played(seed, one)
            if other.of not in play.asked:
                without_both, without_one = run(seed, (one | other).off), run(seed, one.off)
                assert without_both.records == without_one.records
                assert without_both.broken == without_one.broken


@pytest.mark.parametrize(
    "obstacle", [Obstacle.DEVICES_STRANDED, Obstacle.DEVICES_AT_RISK], ids=lambda one: one.code
)
def test_without_it_servers_are_drained_whose_devices_have_no_room(obstacle: Obstacle) -> None:
    off = GuardsOff(plan=frozenset({obstacle}))
    assert any("no room" in one for one in run(9, off, limits=True).broken)
    assert run(9, limits=True).broken == []


SHADOWED = {
    "not-all-there",
    "adoption: overtaken",
    "adoption: restored",
    "server: expected",
    "server: empty",
}
"""In no history so far did anything break without one of them, for others catch the same."""


def test_no_other_guard_is_good_for_nothing() -> None:
    """One that is shadowed by another breaks something together with it."""
    unbroken = {name for name, invariant, _ in rows() if invariant is None}
    together = {part for name, _, _ in rows() if "+" in name for part in name.split(" + ")}
    assert unbroken - together <= SHADOWED


def test_nothing_but_tests_switches_a_guard_off() -> None:
    sources = (ROOT / "src").rglob("*.py")
    wrong = [
        path.name
        for path in sources
        if re.search(r"\bwithout=(?!look\.)", path.read_text(encoding="utf-8"))
    ]
    assert wrong == []


def test_what_is_no_guard_is_only_told() -> None:
    assert set(Obstacle) - NO_GUARDS <= {
        obstacle for one in all_guards() for obstacle in one.off.plan
    }
