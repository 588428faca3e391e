from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.farm.domain.farms import FARM_WIDE, device, host, placement, placements, server_id

from corral.farm.domain.delivery.placement import Placement
from corral.farm.domain.delivery.rebalance import (
    BalanceRules,
    Occasion,
    Plan,
    Quiet,
    Reason,
    plan_rebalance,
)
from corral.farm.domain.estate.server import ServerName

RULES = BalanceRules()
OCCASIONS = st.sampled_from(Occasion)
BITS = st.integers(0, (1 << 30) - 1)


def carried_out(placed: Placement, plan: Plan) -> Placement:
    targets = {move.device_id: move.target for move in plan.moves}
    moved = [replace(d, place=targets.get(d.id, d.place)) for d in placed.devices]
    return placement(list(placed.hosts), moved)


def unevenness(placed: Placement) -> Fraction:
    return sum(
        (Fraction(one.load.devices) ** 2 / Fraction(one.rating) for one in placed.hosts),
        Fraction(),
    )


@FARM_WIDE
@given(placements(), OCCASIONS)
def test_a_round_moves_no_device_twice_overfills_nothing_and_breaks_no_bond(
    placed: Placement, occasion: Occasion
) -> None:
    plan = plan_rebalance(placed, RULES, occasion)
    before = {one.id: one for one in placed.devices}
    assert len({move.device_id for move in plan.moves}) == len(plan.moves)
    after = carried_out(placed, plan)
    for move in plan.moves:
        moved, target = before[move.device_id], after.host(move.target)
        assert moved.place == move.origin != move.target
        assert move.target in moved.may_use
        assert not moved.is_booting
        assert target is not None
        assert target.is_open
        assert target.max_devices is None or target.load.devices <= target.max_devices
    assert plan.moves or plan.quiet or not placed.devices


@FARM_WIDE
@given(placements(), OCCASIONS)
def test_every_round_makes_servers_more_even_until_there_is_nothing_to_do(
    placed: Placement, occasion: Occasion
) -> None:
    for _ in range(len(placed.devices) + 1):
        plan = plan_rebalance(placed, RULES, occasion)
        if not plan.moves:
            return
        after = carried_out(placed, plan)
        assert unevenness(after) < unevenness(placed)
        placed = after
    pytest.fail("it goes on and on")


@FARM_WIDE
@given(placements(least_servers=2))
def test_a_free_farm_ends_with_every_share_within_one_device(placed: Placement) -> None:
    hosts = [
        replace(one, is_online=True, takes_devices=True, max_devices=None) for one in placed.hosts
    ]
    everywhere = frozenset(one.id for one in hosts)
    devices = [replace(one, may_use=everywhere, is_booting=False) for one in placed.devices]
    free = placement(hosts, devices)
    after = carried_out(free, plan_rebalance(free, RULES, Occasion.BY_HAND))
    assert plan_rebalance(after, RULES, Occasion.BY_HAND).moves == ()
    for one in after.hosts:
        for other in after.hosts:
            if one.load.devices and one is not other:
                less = (one.load.devices - Fraction(1, 2)) / Fraction(one.rating)
                assert less <= (other.load.devices + Fraction(1, 2)) / Fraction(other.rating)


@FARM_WIDE
@given(placements(), OCCASIONS, BITS, BITS)
def test_resting_devices_and_other_sources_are_left_alone(
    placed: Placement, occasion: Occasion, rest: int, are_sources: int
) -> None:
    resting = frozenset(one.id for n, one in enumerate(placed.devices) if rest >> n & 1)
    sources = frozenset(one.id for n, one in enumerate(placed.hosts) if are_sources >> n & 1)
    plan = plan_rebalance(placed, RULES, occasion, sources, resting)
    assert not {move.device_id for move in plan.moves} & resting
    assert {move.origin for move in plan.moves} <= sources


@FARM_WIDE
@given(placements())
def test_the_plan_depends_on_the_farm_alone(placed: Placement) -> None:
    turned = replace(placed, hosts=placed.hosts[::-1], devices=placed.devices[::-1])
    first = plan_rebalance(placed, RULES, Occasion.BY_HAND)
    second = plan_rebalance(turned, RULES, Occasion.BY_HAND)
    assert first.moves == second.moves


def plan(on_s1: int, on_s2: int, booting: int = 0, **rules: object) -> Plan:
    devices = [device(n, 1, 1, 2, booting=n < booting) for n in range(on_s1)]
    devices += [device(100 + n, 2, 1, 2) for n in range(on_s2)]
    chosen = replace(RULES, **rules)  # type: ignore[arg-type] # each test names fields of BalanceRules
    return plan_rebalance(placement([host(1), host(2)], devices), chosen, Occasion.AUTOMATIC)


def test_the_farm_relieves_by_itself_only_who_is_a_quarter_above_the_average() -> None:
    assert plan(25, 15).quiet == (
        Reason(ServerName("s1"), Quiet.WITHIN),
        Reason(ServerName("s2"), Quiet.WITHIN),
    )
    assert len(plan(26, 14).moves) == 6
    assert len(plan(25, 15, over_percent=20).moves) == 5


def test_a_few_devices_are_not_worth_a_move() -> None:
    assert plan(9, 0).quiet == (Reason(None, Quiet.FEW_ON_AVERAGE),)
    assert plan(9, 0, least_devices=4).moves != ()
    small = placement(
        [host(1, rating=Decimal("0.1")), host(2)],
        [device(n, 1, 1, 2) for n in range(4)] + [device(100 + n, 2, 2) for n in range(16)],
    )
    quiet = plan_rebalance(small, RULES, Occasion.AUTOMATIC).quiet
    assert Reason(ServerName("s1"), Quiet.FEW_DEVICES) in quiet


def test_a_server_whose_devices_start_is_left_alone() -> None:
    assert plan(40, 10, booting=8).moves != ()
    held = plan(40, 10, booting=9)
    assert held.moves == ()
    assert Reason(ServerName("s1"), Quiet.BOOTING) in held.quiet


def test_by_hand_the_thresholds_do_not_count() -> None:
    placed = placement([host(1), host(2)], [device(n, 1, 1, 2) for n in range(3)])
    moves = plan_rebalance(placed, RULES, Occasion.BY_HAND).moves
    assert [(move.device, move.origin, move.target) for move in moves] == [
        ("pc0", server_id(1), server_id(2))
    ]
    assert "3.0 devices" in moves[0].why
    assert "1.5" in moves[0].why


def test_nothing_to_do_has_its_reason() -> None:
    one = placement([host(1)], [device(1, 1, 1)])
    assert plan_rebalance(one, RULES, Occasion.BY_HAND).quiet == (Reason(None, Quiet.ONE_SERVER),)
    even = placement([host(1), host(2)], [device(1, 1, 1, 2), device(2, 2, 1, 2)])
    assert set(plan_rebalance(even, RULES, Occasion.BY_HAND).quiet) == {
        Reason(ServerName("s1"), Quiet.BALANCED),
        Reason(ServerName("s2"), Quiet.BALANCED),
    }
    bound = placement([host(1), host(2)], [device(n, 1, 1) for n in range(6)])
    assert plan_rebalance(bound, RULES, Occasion.BY_HAND).quiet == (
        Reason(ServerName("s1"), Quiet.BOUND),
    )
    closed = placement([host(1, takes_devices=False), host(2), host(3)], [device(1, 1, 1, 2)])
    assert plan_rebalance(closed, RULES, Occasion.BY_HAND).quiet == (
        Reason(ServerName("s1"), Quiet.CLOSED),
    )


def test_the_classic_rules_are_the_defaults() -> None:
    assert (
        BalanceRules(
            is_automatic=True,
            every=timedelta(minutes=10),
            over_percent=25,
            least_devices=5,
            booting_percent=20,
        )
        == RULES
    )
