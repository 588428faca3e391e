"""Random histories of upgraded farms break no invariant. Each seed is a test that can be run again:
``run(seed).broken``."""

from random import Random

import pytest
from hypothesis import settings

from tests.simulation.upgrade.farms import random_farm
from tests.simulation.upgrade.histories import act, run

FEW, MANY = 40, 5_000
PARTS = 20
COUNT = MANY if settings().max_examples >= MANY else FEW


@pytest.mark.parametrize("part", range(PARTS))
def test_no_invariant_breaks_in_random_histories(part: int) -> None:
    """S1 to S10, S13, S17 to S24, L1 to L5: see invariants.py, promises.py and histories.py."""
    broken = {}
    for seed in range(part, COUNT, PARTS):
        world = run(seed)
        if world.broken:
            broken[seed] = world.broken
    assert not broken


@pytest.mark.parametrize("part", range(4))
def test_no_invariant_breaks_where_servers_have_limits(part: int) -> None:
    """S21: nobody is drained whose devices would find the others full."""
    broken = {}
    for seed in range(part, COUNT // 5, 4):
        world = run(seed, limits=True)
        if world.broken:
            broken[seed] = world.broken
    assert not broken


FOUND = (
    *(10, 54, 62, 109, 117, 124, 243, 265, 296, 412, 427, 517, 577, 4182, 4219, 9179, 10000),
    *(11077, 47087, 56984, 61262, 61825, 62107),
    *(37821, 60412, 70007, 70428, 101423, 101921, 102435, 103575, 104303, 104557, 104717),
    *(73457, 88247, 110010, 126430, 141671, 401163),
    *(183731, 184624, 213749, 231145, 232971, 294984),
)
"""Those in which an earlier planner, or an earlier simulator, was wrong."""


@pytest.mark.parametrize("seed", FOUND)
def test_what_went_wrong_once_does_not_again(seed: int) -> None:
    assert run(seed).broken == []


def test_the_same_seed_is_the_same_history() -> None:
    one, two = run(7), run(7)
    assert one.records.history == two.records.history
    assert one.records.policy == two.records.policy
    assert one.now == two.now


def test_a_world_can_be_copied_and_gone_on_with() -> None:
    """A branch leaves what it came from as it was."""
    random = Random(3)
    world = random_farm(random)
    for _ in range(20):
        act(world, random)
    before = (list(world.records.history), dict(world.records.reports), world.now)
    branch = world.copied()
    for _ in range(20):
        act(branch, random)
    assert branch.records.history != world.records.history
    assert (world.records.history, world.records.reports, world.now) == before
    state = random.getstate()
    again = world.copied()
    for one in (again, world):
        random.setstate(state)
        for _ in range(10):
            act(one, random)
    assert again.records.history == world.records.history
