from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.farm.domain.farms import FARM_WIDE, host, placements, server_id

from corral.farm.domain.delivery.device import DeviceId
from corral.farm.domain.delivery.move import (
    AT_ONCE,
    GIVEN_UP_AFTER,
    OrderedMove,
    Outcome,
    advance,
    after_moves,
)
from corral.farm.domain.delivery.place import Place
from corral.farm.domain.delivery.placement import Placement
from corral.farm.domain.delivery.rebalance import BalanceRules, Occasion, plan_rebalance
from corral.farm.domain.image.root import RootHash

NOW = datetime(2026, 3, 1, tzinfo=UTC)
HOSTS = [host(1, devices=30), host(2), host(3)]


def move(number: int, target: int = 2, **facts: object) -> OrderedMove:
    plain = OrderedMove(DeviceId(UUID(int=number)), server_id(1), server_id(target), "because", NOW)
    return replace(plain, **facts)  # type: ignore[arg-type] # each test names fields of OrderedMove


def places(*numbers: int, on: int = 1) -> dict[DeviceId, Place]:
    ids = [DeviceId(UUID(int=number)) for number in numbers]
    return {one: Place(one, server_id(on), NOW, RootHash("0" * 64)) for one in ids}


def test_a_target_admits_a_few_at_a_time_and_the_next_when_one_has_come() -> None:
    moves = [move(number) for number in range(AT_ONCE + 3)]
    where = places(*range(AT_ONCE + 3))
    asked = advance(moves, where, HOSTS, NOW)
    assert len(asked) == AT_ONCE
    assert all(one.is_asked for one in asked)
    moves = [*asked, *moves[AT_ONCE:]]
    assert advance(moves, where, HOSTS, NOW) == ()
    where |= places(0, on=2)
    done, following = sorted(advance(moves, where, HOSTS, NOW), key=lambda one: one.is_open)
    assert (done.device_id, done.outcome) == (moves[0].device_id, Outcome.DONE)
    assert following.device_id == moves[AT_ONCE].device_id


def test_each_target_has_its_own_turn() -> None:
    moves = [move(number, 2 + number % 2) for number in range(4 * AT_ONCE)]
    asked = advance(moves, places(*range(4 * AT_ONCE)), HOSTS, NOW)
    assert [one.target for one in asked].count(server_id(2)) == AT_ONCE
    assert [one.target for one in asked].count(server_id(3)) == AT_ONCE


def test_a_target_admits_no_more_than_it_has_room_for_and_none_while_too_many_start() -> None:
    where = places(*range(5))
    tight = [HOSTS[0], host(2, devices=1, max_devices=3), HOSTS[2]]
    assert len(advance([move(number) for number in range(5)], where, tight, NOW)) == 2
    busy = [HOSTS[0], host(2, devices=4, booting=4, max_booting=4), HOSTS[2]]
    assert advance([move(number) for number in range(5)], where, busy, NOW) == ()


def test_a_move_ends_where_its_device_ends() -> None:
    asked = move(1, asked_at=NOW)
    for where, outcome in (
        (places(1, on=2), Outcome.DONE),
        (places(1, on=3), Outcome.ELSEWHERE),
        ({}, Outcome.LEFT),
    ):
        (ended,) = advance([asked], where, HOSTS, NOW)
        assert ended.outcome is outcome
        assert ended.ended_at == NOW
        assert not ended.is_open


def test_a_device_that_does_not_go_is_given_up() -> None:
    asked = move(1, asked_at=NOW)
    almost = NOW + GIVEN_UP_AFTER - timedelta(seconds=1)
    assert advance([asked], places(1), HOSTS, almost) == ()
    (ended,) = advance([asked], places(1), HOSTS, NOW + GIVEN_UP_AFTER)
    assert ended.outcome is Outcome.GIVEN_UP


def test_a_target_that_takes_nobody_any_more_ends_its_moves() -> None:
    for closed in (host(2, takes_devices=False), host(2, is_online=False)):
        (ended,) = advance([move(1)], places(1), [HOSTS[0], closed], NOW)
        assert ended.outcome is Outcome.GIVEN_UP
    (ended,) = advance([move(1)], places(1), HOSTS[:1], NOW)
    assert ended.outcome is Outcome.GIVEN_UP


@FARM_WIDE
@given(placements(least_servers=2), st.sampled_from(Occasion))
def test_rounds_that_are_carried_out_in_turns_end_as_planned_and_overfill_nothing(
    placed: Placement, occasion: Occasion
) -> None:
    plan = plan_rebalance(placed, BalanceRules(), occasion)
    moves = {one.device_id: OrderedMove.of(one, NOW) for one in plan.moves}
    where = {one.id: Place(one.id, one.place, NOW, RootHash("0" * 64)) for one in placed.devices}
    state = placed
    for _ in range(len(plan.moves) * 2 + 2):
        is_open = [one for one in moves.values() if one.is_open]
        changed = advance(is_open, where, state.hosts, NOW)
        if not changed:
            break
        moves |= {one.device_id: one for one in changed}
        on_their_way = [one for one in moves.values() if one.is_asked]
        for one in on_their_way:
            where[one.device_id] = where[one.device_id].moved(one.target, NOW)
        state = after_moves(state, on_their_way)
        for after in state.hosts:
            before = placed.host(after.id)
            assert before is not None
            limit = after.max_devices
            assert limit is None or after.load.devices <= max(limit, before.load.devices)
    assert all(not one.is_open for one in moves.values())
    assert {one.outcome for one in moves.values()} <= {Outcome.DONE}


def test_open_moves_count_as_done_for_the_next_plan() -> None:
    assert after_moves(Placement((), ()), [move(1)]) == Placement((), ())
