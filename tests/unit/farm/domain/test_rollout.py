"""Waves, gates and machines of a rollout, each by itself."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.farm.domain.rollouts import (
    NEW,
    NOW,
    OLD,
    after,
    answer,
    at,
    failed,
    is_offered,
    offered,
    proven,
    rollout,
    runs,
    says,
    waiting,
)

from corral.farm.domain.library.compatibility import Forbidden
from corral.farm.domain.library.manifest import FactId
from corral.farm.domain.rollout.errors import (
    GateInvalidError,
    MemberTransitionError,
    RolloutHaltedError,
    RolloutTransitionError,
    WavesInvalidError,
)
from corral.farm.domain.rollout.evidence import Digest, Evidence, Told
from corral.farm.domain.rollout.gate import Gate, Reason, Tally, Verdict, judge, tally_of
from corral.farm.domain.rollout.health import Baseline, HealthLimits
from corral.farm.domain.rollout.member import (
    TRANSITIONS as MEMBER_TRANSITIONS,
)
from corral.farm.domain.rollout.member import (
    Member,
    MemberEvent,
    MemberId,
    MemberState,
)
from corral.farm.domain.rollout.member import (
    next_state as next_member_state,
)
from corral.farm.domain.rollout.moves import Course, moved, resumed, settled
from corral.farm.domain.rollout.plan import NotOffered, Offered, WhyNot, plan
from corral.farm.domain.rollout.state import (
    TRANSITIONS,
    RolloutEvent,
    RolloutState,
    asked_for,
    next_state,
)
from corral.farm.domain.rollout.terms import Terms, TermsInvalidError, read_terms, written_terms
from corral.farm.domain.rollout.wave import (
    STANDARD,
    Wave,
    choose_waves,
    newcomers_wave,
    standard_waves,
)

S, R = MemberState, RolloutState
DAY = timedelta(days=1)


@pytest.mark.parametrize("state", RolloutState)
@pytest.mark.parametrize("event", RolloutEvent)
def test_rollouts_move_only_as_the_table_says(state: RolloutState, event: RolloutEvent) -> None:
    if (state, event) in TRANSITIONS:
        assert next_state("two", state, event) is TRANSITIONS[state, event]
        return
    with pytest.raises(RolloutTransitionError, match="cannot take") as refusal:
        next_state("two", state, event)
    for possible in asked_for(state):
        assert possible in refusal.value.message


@pytest.mark.parametrize("state", MemberState)
@pytest.mark.parametrize("event", MemberEvent)
def test_machines_move_only_as_the_table_says(state: MemberState, event: MemberEvent) -> None:
    one = MemberId("pc1")
    if (state, event) in MEMBER_TRANSITIONS:
        assert next_member_state(one, state, event) is MEMBER_TRANSITIONS[state, event]
        return
    with pytest.raises(MemberTransitionError, match="cannot take"):
        next_member_state(one, state, event)


def test_there_is_no_way_to_success_that_leaves_the_soak_out() -> None:
    before = {one for (one, _), later in MEMBER_TRANSITIONS.items() if later is S.PROVEN}
    assert before == {S.SOAKING}
    assert S.GONE not in {one for (one, _) in MEMBER_TRANSITIONS}


def test_whoever_has_it_can_be_told_to_give_it_back() -> None:
    exposed = {one for one in S if Member(MemberId("pc1"), 0, one).is_exposed}
    assert exposed == {one for one in S if (one, MemberEvent.WITHDRAW) in MEMBER_TRANSITIONS} | {
        S.WITHDRAWN
    }
    for state in (R.RUNNING, R.PAUSED, R.HALTED, R.COMPLETE, R.STOPPED):
        assert RolloutEvent.TAKE_BACK in asked_for(state)


def test_success_is_what_was_seen_at_both_ends_of_the_soak() -> None:
    """Invariant 11: the digest that runs, after the offer, for the length of the soak."""
    one = offered("pc1")
    assert after(one, says(0.1, Told.UNDER_WAY)).state is S.UNDERWAY
    assert after(one, runs(0.1)).state is S.SOAKING
    assert after(one, runs(0.1), runs(1.0)).state is S.SOAKING
    assert after(one, runs(0.1), runs(1.1)).state is S.PROVEN
    # It was not heard of at the end of the soak: that its hour is over shows nothing.
    assert after(one, runs(0.1), runs(0.9)).state is S.SOAKING


def test_what_may_still_go_back_by_itself_is_not_proven_however_long_it_was_watched() -> None:
    one = offered("pc1")
    tried = after(one, runs(0.1, told=Told.ON_TRIAL), runs(9, told=Told.ON_TRIAL))
    assert tried.state is S.SOAKING
    assert after(tried, runs(9.1)).state is S.PROVEN
    assert after(tried, says(9.1, Told.WENT_BACK)).state is S.WENT_BACK


def test_what_was_seen_before_the_offer_or_is_told_twice_proves_nothing() -> None:
    early = runs(0)
    assert after(offered("pc1"), early).state is S.OFFERED
    late = after(offered("pc1"), runs(0.1), runs(1.2), says(0.5, Told.WENT_BACK))
    assert late.state is S.PROVEN
    assert late.failures == 0
    assert after(waiting("pc1"), runs(2)).state is S.WAITING


def test_a_machine_that_does_not_run_neither_succeeds_nor_falls_back() -> None:
    off = runs(0.5, None)
    assert after(offered("pc1"), runs(0.1), off).state is S.SOAKING
    assert after(offered("pc1"), runs(0.1), off, runs(1.2)).state is S.PROVEN
    assert after(offered("pc1"), runs(0.1), runs(1.2, None)).state is S.SOAKING


def test_success_is_withdrawn_when_the_machine_falls_back_later() -> None:
    back = after(proven("pc1"), runs(9, OLD))
    assert back.state is S.WENT_BACK
    assert back.failures == 1
    again = after(back, runs(10), runs(10.9))
    assert again.state is S.SOAKING
    assert after(again, runs(11)).state is S.PROVEN
    assert after(again, runs(11)).failures == 1


def test_failures_of_another_version_or_an_earlier_attempt_do_not_count() -> None:
    other = says(0.1, Told.WENT_BACK, wanted=OLD)
    assert after(offered("pc1"), other).failures == 0
    again = failed("pc1").retried(at(0.2))
    assert after(again, says(0.3, Told.FAILED, attempt=0)).failures == 1
    assert after(again, says(0.3, Told.FAILED, attempt=1)).failures == 2


def test_a_machine_that_is_held_has_neither_failed_nor_succeeded() -> None:
    held = after(offered("pc1"), says(0.1, Told.HELD, code="no-room", problem="the disk is full"))
    assert (held.state, held.failures, held.code) == (S.UNDERWAY, 0, "no-room")


def test_a_failure_is_counted_once_however_often_it_is_told() -> None:
    one = after(offered("pc1"), *(says(hours / 10, Told.FAILED) for hours in range(1, 9)))
    assert (one.state, one.failures) == (S.FAILED, 1)


PAST = Baseline(boot_milliseconds=20_000, restarts_a_day=1.0, was_healthy=True)


@pytest.mark.parametrize(
    ("seen", "state"),
    [
        (runs(0.1, boot_milliseconds=50_000), S.SOAKING),
        (runs(0.1, boot_milliseconds=50_001), S.FAILED),
        (runs(0.1, is_healthy=None), S.SOAKING),
        (runs(0.1, is_healthy=True), S.SOAKING),
    ],
)
def test_each_machine_is_compared_with_its_own_past(seen: Evidence, state: MemberState) -> None:
    found = after(offered("pc1", baseline=PAST), seen)
    assert found.state is state
    assert found.code == ("worse-than-before" if state is S.FAILED else "")
    without = after(offered("pc1"), replace(seen, is_healthy=False))
    assert without.state is S.SOAKING, "what it never had cannot get worse"


def test_restarts_beyond_its_habit_are_a_failure() -> None:
    one = after(offered("pc1", baseline=PAST), runs(0.1, starts=100))
    assert after(one, runs(0.9, starts=103)).state is S.SOAKING
    assert after(one, runs(0.9, starts=104)).problem == "worse off than before: restarts"
    # Once a day it was restarted before, too.
    assert after(one, runs(1.2, starts=100), runs(72.1, starts=106)).state is S.PROVEN
    # A counter that begins anew is no restart.
    assert after(one, runs(1.2, starts=1)).state is S.PROVEN


def test_an_agent_that_is_not_well_has_the_soak_begin_again() -> None:
    one = after(
        offered("pc1", baseline=PAST), runs(0.1, is_healthy=True), runs(0.9, is_healthy=False)
    )
    assert (one.state, one.attested_at, one.failures) == (S.SOAKING, None, 0)
    assert after(one, runs(1.2, is_healthy=True)).state is S.SOAKING
    well = after(one, runs(1.2, is_healthy=True), runs(2.3, is_healthy=True))
    assert well.state is S.PROVEN
    assert after(well, runs(3, is_healthy=False)).state is S.SOAKING


def test_limits_of_health_can_be_left_out_only_by_saying_so() -> None:
    unlimited = rollout(health=HealthLimits(boot_percent=None, extra_restarts=None))
    one = after(
        offered("pc1", baseline=PAST),
        runs(0.1, boot_milliseconds=900_000),
        runs(1.2, starts=900),
        of=unlimited,
    )
    assert one.state is S.PROVEN
    for wrong in ({"boot_percent": 99}, {"extra_restarts": -1}, {"boot_slack": -DAY}):
        with pytest.raises(GateInvalidError):
            HealthLimits(**wrong)


GATE = Gate(min_sample=2, min_proven_percent=50, max_failures=1, max_failed_percent=40)


def of(*members: Member) -> Tally:
    return tally_of(0, members, at(1.5) - DAY)


@pytest.mark.parametrize(
    ("members", "verdict", "reasons"),
    [
        ((), Verdict.INCONCLUSIVE, (Reason.NO_MACHINES,)),
        ((proven("a"), proven("b")), Verdict.PASS, ()),
        ((proven("a"), proven("b"), waiting("c"), waiting("d")), Verdict.PASS, ()),
        (
            (proven("a"), proven("b"), *(waiting(n) for n in "cde")),
            Verdict.INCONCLUSIVE,
            (Reason.TOO_SMALL_A_SHARE_PROVEN,),
        ),
        ((proven("a"), offered("b")), Verdict.INCONCLUSIVE, (Reason.TOO_SMALL_A_SAMPLE,)),
        (
            (failed("a"), offered("b")),
            Verdict.INCONCLUSIVE,
            (Reason.TOO_SMALL_A_SAMPLE, Reason.TOO_SMALL_A_SHARE_PROVEN),
        ),
        ((failed("a"), proven("b")), Verdict.FAIL, (Reason.TOO_LARGE_A_SHARE_FAILED,)),
        ((failed("a"), proven("b"), proven("c")), Verdict.PASS, ()),
        (
            (failed("a"), failed("b"), *(proven(n) for n in "cdefgh")),
            Verdict.FAIL,
            (Reason.TOO_MANY_FAILED,),
        ),
        (
            (failed("a"), failed("b")),
            Verdict.FAIL,
            (Reason.TOO_MANY_FAILED, Reason.TOO_LARGE_A_SHARE_FAILED),
        ),
    ],
)
def test_a_gate_has_three_answers(
    members: tuple[Member, ...], verdict: Verdict, reasons: tuple[Reason, ...]
) -> None:
    judged = judge(GATE, of(*members))
    assert (judged.verdict, judged.reasons) == (verdict, reasons)
    assert verdict.value in str(judged)


def test_who_is_offline_is_no_success_and_no_failure() -> None:
    silent = offered("b")
    tally = tally_of(0, [proven("a"), silent], NOW + timedelta(seconds=1))
    assert (tally.pending, tally.silent, tally.all) == (0, 1, 2)
    strict = Gate(min_proven_percent=51)
    assert judge(strict, tally).verdict is Verdict.INCONCLUSIVE
    assert "not heard of: 1" in str(judge(strict, tally))
    # Nor does it make a failure rare.
    some = tally_of(0, [failed("a"), *(offered(n) for n in "bcdefghij")], at(1) - DAY)
    lenient = Gate(max_failures=5, max_failed_percent=10)
    assert judge(lenient, some).reasons == (Reason.TOO_LARGE_A_SHARE_FAILED,)


def test_a_retry_gives_nothing_back_but_a_person_can() -> None:
    again = after(failed("a").retried(at(0.2)), runs(0.3, attempt=1), runs(1.4, attempt=1))
    assert again.state is S.PROVEN
    gate = Gate(max_failures=0)
    assert judge(gate, of(again)).verdict is Verdict.FAIL
    assert judge(gate, of(again.excused())).verdict is Verdict.PASS
    once_more = after(again.excused(), runs(2, OLD, attempt=1))
    assert judge(gate, of(once_more)).verdict is Verdict.FAIL


def test_the_failures_of_a_machine_that_left_stay() -> None:
    gone = failed("a").after(MemberEvent.LEAVE)
    judged = judge(Gate(), of(gone, proven("b")))
    assert judged.verdict is Verdict.FAIL
    assert judged.tally.all == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"min_sample": 0},
        {"min_sample": True},
        {"min_proven_percent": 0},
        {"min_proven_percent": 101},
        {"min_proven_percent": 99.5},
        {"max_failures": -1},
        {"max_failures": None},
        {"max_failed_percent": -1},
        {"max_failed_percent": 101},
        {"max_failed_percent": "10"},
        {"soak": timedelta(seconds=-1)},
        {"soak": timedelta(days=366)},
    ],
)
def test_a_limit_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(GateInvalidError):
        Gate(**wrong)


MACHINES = {MemberId(f"pc{n}/ann"): frozenset({f"pc{n}", "ann"}) for n in range(200)}
OTHER = Digest("ef" * 32)


def test_waves_have_their_shares_exactly() -> None:
    chosen = choose_waves(STANDARD, MACHINES, NEW)
    assert [list(chosen.values()).count(wave) for wave in range(4)] == [2, 18, 80, 100]


def test_who_is_first_depends_on_what_is_rolled_out() -> None:
    """No eternal canaries: chance is salted by the release."""
    first = [
        {one for one, wave in choose_waves(STANDARD, MACHINES, digest).items() if wave < 2}
        for digest in (NEW, OTHER)
    ]
    assert first[0] != first[1]
    assert choose_waves(STANDARD, MACHINES, NEW) == choose_waves(
        STANDARD, dict(reversed(MACHINES.items())), NEW
    )


def test_a_ring_is_named_and_counts_towards_the_shares() -> None:
    """S10: a limited number of test computers, by name."""
    waves = (Wave("test", ring=frozenset({"pc1", "pc2", "pc3"})), Wave("few", 2), Wave("all", 100))
    chosen = choose_waves(waves, MACHINES, NEW)
    ring = {one for one, wave in chosen.items() if wave == 0}
    assert ring == {"pc1/ann", "pc2/ann", "pc3/ann"}
    assert list(chosen.values()).count(1) == 1
    assert newcomers_wave(waves) == 2
    assert newcomers_wave(waves[:2]) is None


@pytest.mark.parametrize(
    ("waves", "rule"),
    [
        ((), "there are 1 to 32"),
        ((Wave("a", 10), Wave("b", 10)), "larger than the one before"),
        ((Wave("a", 10), Wave("a", 20)), "a name of its own"),
        ((Wave("a", ring=frozenset({"x"})), Wave("b", ring=frozenset({"x"}))), "in one of them"),
        ((Wave("a", ring=frozenset({"nobody"})),), "names 'nobody', which has no machine"),
        ((Wave("a", 1, gate=Gate(min_sample=3)),), "has 2 machines, and its gate wants a sample"),
        ((Wave("a", ring=frozenset({"ann"})), Wave("b", 100)), "wave b has 0 machines"),
    ],
)
def test_waves_that_could_not_brake_are_refused(waves: tuple[Wave, ...], rule: str) -> None:
    with pytest.raises(WavesInvalidError, match=rule):
        choose_waves(waves, MACHINES, NEW)


@pytest.mark.parametrize("wrong", [{"upto_percent": 0}, {"upto_percent": 101}, {}])
def test_a_wave_is_a_share_or_names(wrong: dict[str, int]) -> None:
    with pytest.raises(WavesInvalidError):
        Wave("a", **wrong)  # type: ignore[arg-type]  # whatever there is
    with pytest.raises(WavesInvalidError):
        Wave("a", 5, frozenset({"pc1"}))


# A fleet of up to 300 machines is made for each example.
@settings(max_examples=min(1_000, settings().max_examples))
@given(st.integers(1, 300), st.data())
def test_standard_waves_suit_every_fleet(machines: int, data: st.DataObject) -> None:
    digest = Digest(data.draw(st.text(min_size=1)))
    named = {MemberId(str(one)): frozenset({str(one)}) for one in range(machines)}
    waves = standard_waves(machines)
    chosen = choose_waves(waves, named, digest)
    assert len(chosen) == machines
    for number, wave in enumerate(waves):
        upto = sum(1 for one in chosen.values() if one <= number)
        assert upto == -(-(wave.upto_percent or 0) * machines // 100)


def test_the_next_wave_waits_for_the_gate_before_it() -> None:
    two = rollout(Gate(), Gate())
    first, second = waiting("a"), waiting("b", 1)
    assert answer(two, first, [second]) == Offered(0, is_new=True)
    why = answer(two, second, [first])
    assert why == NotOffered(WhyNot.GATE_INCONCLUSIVE, 0)
    assert str(why) == "gate-inconclusive (wave 1)"
    assert is_offered(two, second, [proven("a")])
    assert answer(two, second, [failed("a")]) == NotOffered(WhyNot.GATE_FAILS, 0)
    # What the gate said once opens nothing: it is asked again.
    assert not is_offered(two, second, [after(proven("a"), runs(9, OLD))])
    # A wave that nobody has counted is shut.
    assert not is_offered(two, second, [])


def test_a_failing_gate_shuts_its_own_wave_too() -> None:
    assert answer(rollout(), waiting("b"), [failed("a")]) == NotOffered(WhyNot.GATE_FAILS, 0)


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (R.PAUSED, WhyNot.PAUSED),
        (R.HALTED, WhyNot.HALTED),
        (R.STOPPED, WhyNot.STOPPED),
        (R.TAKING_BACK, WhyNot.TAKEN_BACK),
        (R.TAKEN_BACK, WhyNot.TAKEN_BACK),
    ],
)
def test_while_it_stands_still_nobody_new_is_offered_it(state: RolloutState, why: WhyNot) -> None:
    assert answer(rollout(state=state), waiting("a")) == NotOffered(why)
    assert answer(rollout(state=state), offered("a")) == Offered(0)


def test_who_cannot_run_it_is_told_by_which_fact() -> None:
    fact = Forbidden(FactId("engine-4.5/runs-image-formats"), "too old", "upgrade it")
    for one in (waiting("a"), offered("a")):
        why = answer(rollout(), one, forbidden=fact)
        assert why == NotOffered(WhyNot.FORBIDDEN, fact=fact)
        assert "engine-4.5/runs-image-formats" in str(why)


def test_stopping_leaves_it_with_those_who_run_it() -> None:
    members = (waiting("a"), offered("b"), after(offered("c"), runs(0.1)), proven("d"), failed("e"))
    stopped = moved(Course(rollout(), members), RolloutEvent.STOP, NOW)
    states = [one.state for one in stopped.members]
    assert states == [S.WAITING, S.WITHDRAWN, S.SOAKING, S.PROVEN, S.WITHDRAWN]
    assert answer(stopped.rollout, stopped.members[1]) == NotOffered(WhyNot.LEFT)
    assert answer(stopped.rollout, stopped.members[3]) == Offered(0)


def test_taking_back_ends_when_nobody_was_seen_to_run_it() -> None:
    taken = moved(Course(rollout(), (proven("a"),)), RolloutEvent.TAKE_BACK, NOW, "too slow")
    (one,) = taken.members
    assert settled(taken, NOW) == taken
    assert after(one, runs(2, None)).is_exposed, "it does not run, and nobody knows from what"
    # It runs the old one again, and has not heard yet that it should: it may take it once more.
    assert after(one, runs(2, OLD, wanted=NEW)).is_exposed
    back = after(one, runs(2, OLD, wanted=OLD))
    assert back.state is S.RETURNED
    ended = settled(Course(taken.rollout, (back,)), NOW)
    assert ended.rollout.state is R.TAKEN_BACK
    again = after(back, runs(3))
    assert again.state is S.WITHDRAWN
    assert settled(Course(ended.rollout, (again,)), NOW).rollout.state is R.TAKING_BACK
    assert again.failures == 0


def test_a_halted_rollout_goes_on_only_once_the_failures_are_accepted() -> None:
    halted = settled(Course(rollout(), (failed("a"), waiting("b"))), NOW)
    assert halted.rollout.state is R.HALTED
    assert "wave w1 says fail" in halted.rollout.why
    with pytest.raises(RolloutHaltedError, match="more failures than the limit"):
        resumed(halted, NOW, accepts_failures=False)
    going = resumed(halted, NOW, accepts_failures=True)
    assert going.rollout.state is R.RUNNING
    assert settled(going, NOW) == going
    again = tuple(
        after(one.retried(NOW), says(1, Told.FAILED, attempt=1)) for one in going.members[:1]
    )
    assert settled(Course(going.rollout, again), NOW).rollout.state is R.HALTED


def test_a_rollout_completes_and_begins_again_by_itself() -> None:
    two = rollout(Gate(max_failures=1, max_failed_percent=100), Gate())
    both = [proven("a"), proven("b", 1)]
    found = plan(two, both, NOW)
    assert (found.event, found.open_waves, found.waiting) == (RolloutEvent.COMPLETE, 2, ())
    complete = two.after(RolloutEvent.COMPLETE, NOW)
    assert plan(complete, both, NOW).event is None
    fallen = [after(both[0], runs(9, OLD)), both[1]]
    reopened = plan(complete, fallen, NOW)
    assert reopened.event is RolloutEvent.REOPEN
    assert "wave w1" in reopened.why
    worse = [fallen[0], after(both[1], runs(9, OLD))]
    assert plan(complete, worse, NOW).event is RolloutEvent.HALT


def test_a_plan_says_of_every_machine_why_not() -> None:
    two = rollout(Gate(), Gate())
    members = [offered("a"), waiting("b", 1), waiting("c", 1), failed("d").after(MemberEvent.LEAVE)]
    members[3] = members[3].excused()
    found = plan(two, members, NOW)
    assert dict(found.waiting) == {
        "b": NotOffered(WhyNot.GATE_INCONCLUSIVE, 0),
        "c": NotOffered(WhyNot.GATE_INCONCLUSIVE, 0),
    }
    assert found.open_waves == 1


def test_what_is_withdrawn_from_the_farm_is_offered_to_nobody_and_taken_back() -> None:
    for one in (waiting("a"), offered("a"), proven("a")):
        assert answer(rollout(), one, is_revoked=True) == NotOffered(WhyNot.REVOKED)
        found = plan(rollout(), [one], NOW, is_revoked=True)
        assert found.event is RolloutEvent.TAKE_BACK
    ended = rollout(state=R.TAKEN_BACK)
    assert plan(ended, [], NOW, is_revoked=True).event is None


def test_names_and_order_of_machines_decide_nothing_but_their_waves() -> None:
    two = rollout(Gate(), Gate())
    members = [proven("a"), failed("b"), waiting("c", 1)]
    renamed = [replace(one, id=MemberId(f"z-{one.id}")) for one in reversed(members)]
    one, other = plan(two, members, NOW), plan(two, renamed, NOW)
    assert (one.judged, one.event, one.open_waves) == (other.judged, other.event, other.open_waves)


@given(
    st.lists(
        st.builds(
            Gate,
            min_sample=st.integers(1, 9),
            min_proven_percent=st.integers(1, 100),
            max_failures=st.integers(0, 9),
            max_failed_percent=st.integers(0, 100),
            soak=st.integers(0, 9999).map(lambda seconds: timedelta(seconds=seconds)),
        ),
        max_size=5,
    ),
    st.none() | st.integers(100, 900),
)
def test_terms_are_kept_as_they_were_written(gates: list[Gate], boot: int | None) -> None:
    waves = tuple(Wave(f"w{n}", n + 1, gate=gate) for n, gate in enumerate(gates))
    ring = Wave("ring", ring=frozenset({"pc1", "ann"}))
    terms = Terms((*waves, ring), HealthLimits(boot_percent=boot), timedelta(hours=7))
    assert read_terms(written_terms(terms)) == terms


def test_terms_need_to_say_no_more_than_the_waves() -> None:
    found = read_terms('{"waves": [{"name": "all", "upto_percent": 100}]}')
    assert found == Terms((Wave("all", 100),))
    for wrong in ("{}", "[]", '{"waves": []}', '{"waves": [{"name": "all"}]}'):
        with pytest.raises((TermsInvalidError, WavesInvalidError)):
            read_terms(wrong)
    twice = '{"waves": [{"name": "all", "ring": ["a", "a"]}]}'
    with pytest.raises(TermsInvalidError, match="stands there twice"):
        read_terms(twice)
