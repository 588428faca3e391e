"""Where an upgrade is, and what can happen to it then."""

import pytest

from corral.farm.domain.upgrade.errors import UpgradeTransitionError
from corral.farm.domain.upgrade.state import (
    OVER,
    STEPPING,
    TRANSITIONS,
    UpgradeEvent,
    UpgradeState,
    after,
    allowed,
)

S, E = UpgradeState, UpgradeEvent


@pytest.mark.parametrize("state", UpgradeState)
@pytest.mark.parametrize("event", UpgradeEvent)
def test_upgrades_move_only_as_the_table_says(state: UpgradeState, event: UpgradeEvent) -> None:
    if (state, event) in TRANSITIONS:
        assert after(state, event) is TRANSITIONS[state, event]
        return
    with pytest.raises(UpgradeTransitionError) as refused:
        after(state, event)
    for possible in allowed(state):
        assert possible in str(refused.value)


def test_every_state_is_reached_and_every_one_but_the_last_is_left() -> None:
    assert {S.RUNNING, *TRANSITIONS.values()} == set(S)
    assert {state for state, _ in TRANSITIONS} == set(S) - OVER


def test_the_way_back_is_open_until_somebody_finalises_and_shut_for_good_afterwards() -> None:
    leads_back = {state for state, event in TRANSITIONS if event is E.ROLL_BACK}
    assert leads_back == {S.RUNNING, S.PAUSED, S.AWAITING_FINALISE}
    reached, reach = set(), {S.FINALISING}
    while reach:
        state = reach.pop()
        reached.add(state)
        reach |= {to for (before, _), to in TRANSITIONS.items() if before is state} - reached
    assert reached == {S.FINALISING, S.DONE}


def test_nothing_leads_forward_again_from_the_way_back() -> None:
    forward = {state for state in S if state.leads_forward}
    assert not any(
        before not in forward and to in forward for (before, _), to in TRANSITIONS.items()
    )


def test_no_step_begins_where_people_were_asked_to_look() -> None:
    assert {S.PAUSED, S.ROLL_BACK_PAUSED, S.AWAITING_FINALISE}.isdisjoint(STEPPING)
    assert STEPPING.isdisjoint(OVER)
