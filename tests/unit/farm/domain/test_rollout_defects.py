"""What went wrong in other systems that roll out, and does not here.

``docs/explanation/rollouts.md`` has the list with its sources; each test is named there.
"""

import inspect
import json
from dataclasses import fields
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
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

from corral.farm.domain.rollout.errors import GateInvalidError, RolloutHaltedError
from corral.farm.domain.rollout.evidence import Digest, Evidence, Told
from corral.farm.domain.rollout.gate import Gate, Reason, Verdict
from corral.farm.domain.rollout.health import Baseline
from corral.farm.domain.rollout.member import MemberId, MemberState
from corral.farm.domain.rollout.moves import Course, moved, resumed, settled
from corral.farm.domain.rollout.plan import NotOffered, Offered, WhyNot, offers, plan
from corral.farm.domain.rollout.rollout import Given, Offering, Rollout, RolloutId, RolloutName
from corral.farm.domain.rollout.state import RolloutEvent, RolloutState
from corral.farm.domain.rollout.terms import TermsInvalidError, read_terms
from corral.farm.domain.rollout.wave import STANDARD, Wave, choose_waves

S, R = MemberState, RolloutState
TWO_WAVES = rollout(Gate(min_proven_percent=50, max_failures=9, max_failed_percent=80), Gate())


@pytest.mark.parametrize("name", [one.name for one in fields(Gate)])
@pytest.mark.parametrize("nonsense", ["10%", "", None, float("nan")])
def test_1_a_brake_that_cannot_be_understood_is_refused(name: str, nonsense: object) -> None:
    """HawkBit: a malformed error threshold, or none, never fires."""
    given: Any = {name: nonsense}
    with pytest.raises(GateInvalidError):
        Gate(**given)


def test_1_every_wave_has_every_brake() -> None:
    assert all(isinstance(wave.gate, Gate) for wave in STANDARD)
    assert {one.name for one in fields(Gate)} == {
        "min_sample",
        "min_proven_percent",
        "max_failures",
        "max_failed_percent",
        "soak",
    }


def test_2_a_wave_that_has_ended_is_no_wave_that_succeeded() -> None:
    """HawkBit: a group in which everybody is finished, failed or cancelled starts the next one."""
    ended = [*(failed(name) for name in "abc"), *(proven(name) for name in "de")]
    found = answer(TWO_WAVES, waiting("z", 1), ended)
    assert found == NotOffered(WhyNot.GATE_INCONCLUSIVE, 0)
    (first, _) = plan(TWO_WAVES, ended, NOW).judged
    assert first.reasons == (Reason.TOO_SMALL_A_SHARE_PROVEN,)


def test_3_what_is_finished_before_its_restart_is_no_success() -> None:
    """HawkBit 3185: in sync while the old image runs; a fallback later is never seen."""
    told = after(offered("a"), says(1, Told.DONE), says(9, Told.DONE))
    assert told.state is S.UNDERWAY
    assert not is_offered(TWO_WAVES, waiting("z", 1), [told])


def test_3_a_machine_that_falls_back_later_shuts_what_its_success_had_opened() -> None:
    first = proven("a")
    assert is_offered(TWO_WAVES, waiting("z", 1), [first])
    assert not is_offered(TWO_WAVES, waiting("z", 1), [after(first, runs(500, OLD))])


def test_4_a_machine_that_never_reports_is_counted_and_named() -> None:
    """HawkBit 693: a device that never reports holds a rollout for ever, or is forgotten."""
    late = NOW + timedelta(days=30)
    some = [proven("a"), proven("b"), offered("c")]
    judged = plan(TWO_WAVES, some, late).judged[0]
    assert (judged.verdict, judged.tally.silent) == (Verdict.PASS, 1)
    alone = plan(TWO_WAVES, [proven("a"), offered("b"), offered("c")], late).judged[0]
    assert alone.verdict is Verdict.INCONCLUSIVE
    assert str(alone).endswith("1 of 3 proven, failures: 0, not heard of: 2")


def test_5_asking_often_enough_does_not_make_it_true() -> None:
    """Cephadm 33447: the wait for 'ok to stop' succeeded after four tries that said no."""
    machine, others = waiting("z", 1), [offered("a")]
    for tries in range(100):
        assert not is_offered(TWO_WAVES, machine, others, NOW + timedelta(days=tries))


def test_6_no_flag_leads_around_the_gates() -> None:
    """Cephadm: the call that asks whether it is safe passes 'force' itself."""
    for rule in (offers, plan, settled, moved, resumed):
        named = set(inspect.signature(rule).parameters)
        assert not {name for name in named if "force" in name or "skip" in name or "yes" in name}
    halted = settled(Course(rollout(), (failed("a"), waiting("b"))), NOW)
    with pytest.raises(RolloutHaltedError):
        resumed(halted, NOW, accepts_failures=False)


def test_6_accepting_failures_accepts_no_later_ones() -> None:
    halted = settled(Course(rollout(Gate(min_proven_percent=1)), (failed("a"), proven("b"))), NOW)
    going = resumed(halted, NOW, accepts_failures=True)
    worse = Course(going.rollout, (going.members[0], after(going.members[1], runs(9, OLD))))
    assert settled(worse, NOW).rollout.state is R.HALTED


def test_7_what_failed_or_was_given_up_never_counts_as_complete() -> None:
    """TiUP 1220: an interrupted upgrade printed success; --force swallows errors."""
    for event in (RolloutEvent.STOP, RolloutEvent.TAKE_BACK, RolloutEvent.PAUSE):
        left = settled(moved(Course(rollout(), (proven("a"),)), event, NOW), NOW)
        assert left.rollout.state is not R.COMPLETE
    lenient = rollout(Gate(max_failures=1, max_failed_percent=50, min_proven_percent=50))
    done = settled(Course(lenient, (proven("a"), failed("b"))), NOW)
    assert done.rollout.state is R.COMPLETE
    assert "1 of 2 proven, failures: 1" in done.rollout.why


def test_8_what_could_not_be_found_out_counts_for_nothing() -> None:
    """Zincati: if it cannot be found out whether somebody works, it is assumed that nobody does."""
    before = Baseline(boot_milliseconds=9_000, was_healthy=True)
    unknown = after(offered("a", baseline=before), runs(0.1, None), runs(5, None))
    assert unknown.state is S.UNDERWAY
    # A wave that nobody has counted is shut.
    assert offers(TWO_WAVES, waiting("z", 1), []) == NotOffered(WhyNot.GATE_INCONCLUSIVE, 0)


def test_10_nobody_is_the_first_for_ever() -> None:
    """Fedora CoreOS: wariness is a hash of the machine alone."""
    machines = {MemberId(f"pc{n}"): frozenset({f"pc{n}"}) for n in range(300)}
    first: set[MemberId] = set()
    for release in range(40):
        chosen = choose_waves(STANDARD, machines, Digest(f"{release:064x}"))
        first |= {one for one, wave in chosen.items() if wave == 0}
    # Three of 300 each time: forty releases with the same three would make it three.
    assert len(first) > 60


def test_11_the_clock_alone_opens_nothing() -> None:
    """Fedora CoreOS: a rollout grows with time, whatever happens to those who took it."""
    members = [offered("a"), waiting("z", 1)]
    for days in range(400):
        assert plan(TWO_WAVES, members, NOW + timedelta(days=days)).open_waves == 1


def test_12_what_is_heard_late_moves_nothing_back() -> None:
    """Omicron 10392: a planner with a stale inventory advanced a state machine wrongly."""
    now = after(offered("a"), runs(1), runs(2.5))
    assert after(now, says(0.5, Told.FAILED), runs(1.5, OLD)) == now
    assert after(offered("a"), runs(-5), runs(0)) == offered("a")


def test_13_what_was_expected_is_not_what_is_looked_at() -> None:
    """Omicron 8887: the check of completion looked at the expected slot, not at the actual one."""
    expected = Evidence(at(1), wanted=NEW, told=Told.DONE, running=None)
    assert after(offered("a"), expected).state is S.UNDERWAY
    other = Evidence(at(1), wanted=NEW, told=Told.DONE, running=Digest("cd" * 32))
    assert after(offered("a"), other, other).state is S.UNDERWAY


def test_14_whoever_waits_is_told_for_what() -> None:
    """Kubernetes: a disruption budget that never can be met waits for ever, silently."""
    members = [offered("a"), *(waiting(name, 1) for name in "bcd")]
    found = plan(TWO_WAVES, members, NOW + timedelta(days=9))
    assert [(str(one), str(why)) for one, why in found.waiting] == [
        (name, "gate-inconclusive (wave 1)") for name in "bcd"
    ]
    assert "not heard of: 1" in str(found.judged[0])


def test_15_what_went_back_is_not_tried_again_by_itself() -> None:
    """Greenboot 105, 221: the failed deployment stays first, and is started again."""
    back = after(proven("a"), runs(9, OLD, told=Told.WENT_BACK))
    assert answer(rollout(Gate(max_failures=9)), back) == Offered(attempt=0)
    assert after(back, *(says(10 + n, Told.WENT_BACK) for n in range(9))).attempt == 0
    assert back.retried(NOW).attempt == 1


def test_15_a_way_back_is_over_when_it_was_seen() -> None:
    taken = moved(Course(rollout(), (proven("a"),)), RolloutEvent.TAKE_BACK, NOW)
    (told,) = (after(one, says(9, Told.DONE, running=None, wanted=OLD)) for one in taken.members)
    assert settled(Course(taken.rollout, (told,)), NOW).rollout.state is R.TAKING_BACK
    seen = after(told, runs(10, OLD, wanted=OLD))
    assert settled(Course(taken.rollout, (seen,)), NOW).rollout.state is R.TAKEN_BACK


def test_16_and_17_what_is_rolled_out_is_its_content_and_not_its_number() -> None:
    """RAUC: going back needs a higher number; Citrix: time stamps tell copies apart."""
    back = Rollout(
        RolloutId(UUID(int=2)),
        RolloutName("back"),
        Offering(Given.VERSION, "debian/1", OLD),
        (Wave("all", 100),),
        NOW,
    )
    first = waiting("a").offered(NOW, Baseline())
    (going, done) = (runs(0.1, OLD, wanted=OLD), runs(1.2, OLD, wanted=OLD))
    assert after(first, going, done, of=back).state is S.PROVEN
    # No moment but that at which the farm heard of it plays a part.
    moments = {one.name for one in fields(Evidence) if "datetime" in str(one.type)}
    assert moments == {"at"}


def test_19_what_stands_still_needs_nobody_to_remember_it() -> None:
    """XenClient: who cancels a task has to schedule it again by hand."""
    members = (proven("a"), after(offered("b"), says(0.1, Told.UNDER_WAY)), waiting("z", 1))
    going = Course(TWO_WAVES, members)
    paused = moved(going, RolloutEvent.PAUSE, NOW)
    assert paused.members == members
    again = resumed(paused, NOW, accepts_failures=False)
    assert again.rollout.state is R.RUNNING
    assert plan(again.rollout, again.members, NOW) == plan(going.rollout, going.members, NOW)


@pytest.mark.parametrize(
    ("terms", "at"),
    [
        ({"waves": [{"name": "all", "upto_percent": 100, "window": "9-17"}]}, "waves[0].window"),
        ({"waves": [{"name": "all", "upto_percent": 100, "gate": {"max_failure": 1}}]}, "max_fail"),
        ({"waves": [{"name": "all", "upto_percent": 100}], "windows": ["9-17"]}, "windows"),
        ({"waves": [{"name": "all", "upto_percent": 100}], "health": {"boot": 9}}, "health.boot"),
        ({"waves": [{"name": "all", "upto_percent": 100, "gate": {"soak_seconds": "1h"}}]}, "soak"),
    ],
)
def test_20_a_limit_that_nobody_knows_is_refused(terms: dict[str, Any], at: str) -> None:
    """Airlock 81: a window inside another strategy was silently ignored."""
    with pytest.raises(TermsInvalidError, match="wrong at ") as refusal:
        read_terms(json.dumps(terms))
    assert at in refusal.value.message


def test_21_an_inconclusive_answer_promotes_nothing() -> None:
    """Argo Rollouts 3850: a step was promoted on an inconclusive analysis."""
    members = [offered("a"), waiting("z", 1)]
    found = plan(TWO_WAVES, members, NOW)
    assert found.judged[0].verdict is Verdict.INCONCLUSIVE
    assert (found.event, found.open_waves) == (None, 1)
