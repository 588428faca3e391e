"""Which release services are started from, whatever is ordered and whatever dies meanwhile."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corral.farm.domain.supervision.errors import SupervisionTransitionError
from corral.farm.domain.supervision.record import (
    MOST_TRIES,
    Problem,
    Supervision,
    SwitchOrder,
    begin,
    is_same_release,
    not_proved,
    proved,
    stopped,
    take,
)
from corral.farm.domain.supervision.service import Service, in_order_of_stopping
from corral.farm.domain.supervision.stage import TRANSITIONS, Event, Stage, next_stage

S, E = Stage, Event
PACKAGE = "1.0"
AT_REST = Supervision(active=PACKAGE)
SWITCH = SwitchOrder(5, "2.0", PACKAGE)


def anything(_release: str) -> bool:
    return True


def nothing(release: str) -> bool:
    return release == PACKAGE


def on_trial() -> Supervision:
    return stopped(take(AT_REST, SWITCH, anything))


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("event", Event)
def test_releases_are_changed_only_as_the_table_says(stage: Stage, event: Event) -> None:
    if (stage, event) in TRANSITIONS:
        assert next_stage(stage, event) is TRANSITIONS[stage, event]
        return
    with pytest.raises(SupervisionTransitionError, match="cannot take") as refusal:
        next_stage(stage, event)
    for at, possible in TRANSITIONS:
        if at is stage:
            assert possible in refusal.value.message


def test_nothing_comes_into_force_but_through_a_trial() -> None:
    assert {after for (_, event), after in TRANSITIONS.items() if event is E.STOPPED} == {S.TRIAL}
    assert {before for (before, _), after in TRANSITIONS.items() if after is S.SETTLED} == {
        S.TRIAL,
        S.GOING_BACK,
    }


def test_a_switch_is_written_before_anything_is_stopped() -> None:
    taken = take(AT_REST, SWITCH, anything)
    assert (taken.stage, taken.active, taken.coming) == (S.STOPPING, PACKAGE, "2.0")
    assert (taken.taken, taken.order) == (5, 0)
    trial = stopped(taken)
    assert (trial.stage, trial.active, trial.previous) == (S.TRIAL, "2.0", PACKAGE)
    done = proved(trial)
    assert done == Supervision("2.0", PACKAGE, order=5, taken=5)


def test_a_release_that_does_not_prove_itself_is_left_and_the_order_is_over_with_a_reason() -> None:
    back = not_proved(on_trial(), "it hung")
    assert (back.stage, back.active, back.previous) == (S.GOING_BACK, PACKAGE, "2.0")
    assert back.order == 0
    assert back.problem is not None
    assert "it hung" in back.problem.message
    assert (back.problem.order, back.problem.code) == (5, "release-not-proven")
    after = proved(back)
    assert (after.stage, after.order, after.problem) == (S.SETTLED, 5, back.problem)
    # The same order is none any more; a newer one is, and takes the reason away.
    assert take(after, SWITCH, anything) == after
    assert take(after, SwitchOrder(6), anything).problem is None


@pytest.mark.parametrize("number", [0, 4, 5])
def test_an_old_number_is_not_obeyed(number: int) -> None:
    state = replace(AT_REST, order=5, taken=5)
    assert take(state, SwitchOrder(number, "2.0", PACKAGE), anything) == state


def test_somebody_at_the_machine_needs_no_number_and_is_heard_once() -> None:
    state = replace(AT_REST, order=5, taken=5)
    by_hand = SwitchOrder(5, "2.0", PACKAGE, by_hand="one")
    taken = take(state, by_hand, anything)
    assert (taken.stage, taken.taken) == (S.STOPPING, 5)
    back = proved(not_proved(stopped(taken), "it hung"))
    assert take(back, by_hand, anything) == back
    assert take(back, replace(by_hand, by_hand="two"), anything).stage is S.STOPPING


def test_what_is_expected_has_to_be_in_force_and_what_is_wanted_to_lie_there() -> None:
    elsewhere = take(AT_REST, SwitchOrder(5, "2.0", "1.9"), anything)
    assert (elsewhere.stage, elsewhere.order) == (S.SETTLED, 5)
    assert elsewhere.problem is not None
    assert elsewhere.problem.code == "release-unexpected"
    missing = take(AT_REST, SWITCH, nothing)
    assert (missing.stage, missing.order) == (S.SETTLED, 5)
    assert missing.problem is not None
    assert missing.problem.code == "release-not-installed"


def test_an_order_for_what_is_in_force_is_done_with_that() -> None:
    assert take(AT_REST, SwitchOrder(5, "1.0.0", "9"), anything) == replace(
        AT_REST, order=5, taken=5
    )
    # On trial it is not done before the release has proven itself.
    later = take(on_trial(), SwitchOrder(6, "2.0", PACKAGE), anything)
    assert (later.stage, later.taken, later.order) == (S.TRIAL, 6, 0)
    assert proved(later).order == 6


def test_another_order_on_trial_goes_back_to_what_was_proven_last() -> None:
    again = stopped(take(on_trial(), SwitchOrder(6, "3.0", "2.0"), anything))
    assert (again.active, again.previous) == ("3.0", PACKAGE)
    from_back = take(not_proved(on_trial(), "it hung"), SwitchOrder(6, "3.0", PACKAGE), anything)
    assert stopped(from_back).previous == PACKAGE


def test_a_release_is_started_so_often_and_no_more() -> None:
    state = on_trial()
    for tries in range(2, MOST_TRIES + 1):
        state = begin(state, PACKAGE, anything)
        assert (state.stage, state.tries) == (S.TRIAL, tries)
    assert begin(state, PACKAGE, anything).active == PACKAGE


def test_a_supervisor_that_comes_up_in_the_middle_finishes_or_undoes_it() -> None:
    assert begin(take(AT_REST, SWITCH, anything), PACKAGE, anything) == on_trial()
    # Somebody has removed the release.
    back = begin(on_trial(), PACKAGE, nothing)
    assert (back.stage, back.active) == (S.GOING_BACK, PACKAGE)
    lost = begin(Supervision("2.0", "1.5"), PACKAGE, nothing)
    assert (lost.stage, lost.active) == (S.SETTLED, PACKAGE)
    assert begin(AT_REST, PACKAGE, anything) == AT_REST


def test_releases_that_are_in_use_are_kept() -> None:
    assert take(AT_REST, SWITCH, anything).kept == {PACKAGE, "2.0"}
    assert AT_REST.kept == {PACKAGE}


def test_releases_are_compared_by_number() -> None:
    assert is_same_release("1.4", "1.4.0")
    assert not is_same_release("1.4", "1.40")
    assert is_same_release("odd", "odd")
    assert not is_same_release("odd", "1.4")


def test_services_end_in_their_order() -> None:
    stream = Service("stream", ("serve", "stream"), 3)
    api, worker = Service("api", ("serve", "api")), Service("worker", ("serve", "worker"))
    assert in_order_of_stopping([stream, api, worker]) == [[api, worker], [stream]]
    assert (stream.is_stream, api.is_stream) == (True, False)


class Life:
    """A machine in which anything may happen at any time, a crash between any two writes too."""

    def __init__(self) -> None:
        self.state = AT_REST
        self.good = {PACKAGE}
        """What has proven itself once."""

    def go(self, after: Supervision) -> None:
        before, self.state = self.state, after
        assert after.taken >= before.taken
        assert after.order >= before.order
        assert after.order <= after.taken
        assert bool(after.coming) == (after.stage is S.STOPPING)
        if after.stage is S.TRIAL:
            assert 1 <= after.tries <= MOST_TRIES
            assert after.previous in self.good
        if after.stage is S.SETTLED and before.stage is not S.SETTLED:
            self.good.add(after.active)
        if after.stage in {S.SETTLED, S.GOING_BACK}:
            assert after.active in self.good


Act = Callable[[Life], None]


def ordered(number: int, release: str, *, is_right: bool) -> Act:
    def act(life: Life) -> None:
        expects = life.state.active if is_right else "9.9"
        life.go(take(life.state, SwitchOrder(number, release, expects), anything))

    return act


def crash(life: Life) -> None:
    life.go(begin(life.state, PACKAGE, anything))


def go_on(life: Life) -> None:
    if life.state.stage is S.STOPPING:
        life.go(stopped(life.state))
    elif life.state.is_on_trial:
        life.go(proved(life.state))


def fail(life: Life) -> None:
    if life.state.stage is S.TRIAL:
        life.go(not_proved(life.state, "it hung"))


@given(
    st.lists(
        st.one_of(
            st.builds(
                ordered,
                st.integers(1, 12),
                st.sampled_from(["1.0", "2.0", "3.0"]),
                is_right=st.booleans(),
            ),
            st.sampled_from([crash, go_on, fail]),
        ),
        max_size=30,
    )
)
@settings(deadline=None)
def test_whatever_dies_what_is_in_force_was_ordered_or_was_there_before(acts: list[Act]) -> None:
    life = Life()
    for act in acts:
        act(life)
    # Once nothing dies any more it comes to rest, at a release that was started and did its work.
    for _ in range(4):
        go_on(life)
    assert life.state.stage is S.SETTLED
    assert life.state.order == life.state.taken


def test_a_problem_is_about_its_order_and_no_other() -> None:
    state = replace(AT_REST, problem=Problem(3, "release-not-proven", "it hung"), taken=3, order=3)
    assert take(state, SwitchOrder(4, PACKAGE), anything).problem is None
    assert take(state, SwitchOrder(3), anything).problem == state.problem
