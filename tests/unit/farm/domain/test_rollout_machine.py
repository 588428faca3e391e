"""Whatever a fleet does, a rollout shows no success that was not seen and opens nothing by itself.

The numbers are those of the invariants in ``docs/explanation/rollouts.md``. Each guard of the rules
is switched off in turn: a guard that nothing would miss is not tested, or not needed.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeAlias

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from tests.unit.farm.domain import rollout_fleet
from tests.unit.farm.domain.rollout_fleet import Farm, Machine
from tests.unit.farm.domain.rollouts import NEW, OLD, rollout

from corral.farm.domain.errors import DomainError
from corral.farm.domain.rollout import gate, member, moves, plan
from corral.farm.domain.rollout.evidence import Told
from corral.farm.domain.rollout.gate import Gate, Verdict
from corral.farm.domain.rollout.member import Member, MemberEvent, MemberState
from corral.farm.domain.rollout.moves import Course, moved, resumed
from corral.farm.domain.rollout.state import RolloutEvent, RolloutState

pytestmark = pytest.mark.thorough

ONE = st.integers(0, 11)
GATES = st.builds(
    Gate,
    min_sample=st.integers(1, 2),
    min_proven_percent=st.sampled_from([1, 50, 80, 100]),
    max_failures=st.integers(0, 2),
    max_failed_percent=st.sampled_from([0, 40, 100]),
    soak=st.sampled_from([timedelta(0), timedelta(minutes=30)]),
)


class Fleet(RuleBasedStateMachine):
    @initialize(gates=st.lists(GATES, min_size=1, max_size=3), sizes=st.data())
    def begin(self, gates: list[Gate], sizes: st.DataObject) -> None:
        waves = [
            wave
            for wave, one in enumerate(gates)
            for _ in range(sizes.draw(st.integers(one.min_sample, 4)))
        ]
        self.farm = Farm(rollout(*gates), waves)
        self.failures = 0
        self.accepted = 0

    def one(self, place: int) -> Machine:
        return list(self.farm.machines.values())[place % len(self.farm.machines)]

    def heard_of(self, machine: Machine, *, is_lost: bool = False) -> None:
        if not machine.is_online:
            return
        before = self.farm.member(machine.name)
        self.farm.check_in(machine, is_lost=is_lost)
        machine.failures_seen += self._failed_now(machine, before)

    def _failed_now(self, machine: Machine, before: Member) -> bool:
        """Whether the check-in says that it failed, judged apart from the rules."""
        if machine.offered_at is None or not machine.log:
            return False
        last = machine.log[-1]
        if last.at <= (before.offered_at or last.at) or before.state in (
            MemberState.WAITING,
            MemberState.FAILED,
            MemberState.WENT_BACK,
            MemberState.WITHDRAWN,
            MemberState.RETURNED,
            MemberState.GONE,
        ):
            return False
        ran_it = before.state in (MemberState.SOAKING, MemberState.PROVEN)
        if ran_it and last.running == OLD:
            return True
        is_own = last.wanted == NEW and last.attempt >= before.attempt
        return is_own and last.running != NEW and last.told in (Told.FAILED, Told.WENT_BACK)

    @rule(places=st.lists(ONE, min_size=1, max_size=6), is_lost=st.booleans())
    def check_in(self, places: list[int], is_lost: bool) -> None:  # noqa: FBT001 - Hypothesis gives it
        for place in places:
            self.heard_of(self.one(place), is_lost=is_lost)

    @rule(rounds=st.integers(1, 3))
    def all_go_on(self, rounds: int) -> None:
        """Everybody checks in, does what the orders say, and is watched for a while."""
        for _ in range(rounds):
            for machine in self.farm.machines.values():
                self.heard_of(machine)
                self.farm.change(machine)
            self.farm.now += timedelta(minutes=31)

    @rule(place=ONE)
    def do_as_told(self, place: int) -> None:
        self.farm.change(self.one(place))

    @rule(place=ONE)
    def go_back(self, place: int) -> None:
        self.farm.go_back(self.one(place))

    @rule(place=ONE)
    def fail(self, place: int) -> None:
        machine = self.one(place)
        if machine.wanted == NEW and machine.running != NEW:
            machine.told = Told.FAILED

    @rule(place=ONE)
    def switch_off_or_on(self, place: int) -> None:
        machine = self.one(place)
        if machine.running is not None:
            machine.running = None
        elif machine.wanted == NEW and machine.attempt > machine.refused:
            machine.running = NEW
        else:
            machine.running = OLD

    @rule(place=ONE, what=st.sampled_from(["is_online", "is_well", "is_lying", "can_run"]))
    def change_its_mind(self, place: int, what: str) -> None:
        setattr(self.one(place), what, not getattr(self.one(place), what))

    @rule(hours=st.sampled_from([0.2, 1, 30]))
    def time_passes(self, hours: float) -> None:
        """11: no wave opens because of the clock alone."""
        before = self.farm.may_offer()
        self.farm.now += timedelta(hours=hours)
        self.farm.settle(self.farm.course)
        assert self.farm.may_offer() <= before, "13: time alone opened something"

    @rule(place=ONE)
    def retry(self, place: int) -> None:
        self.tried_again(self.one(place))

    def tried_again(self, machine: Machine) -> None:
        try:
            self.farm.settle(moves.retried(self.farm.course, machine.name, self.farm.now))
        except DomainError:
            return

    @rule(place=ONE)
    def leave(self, place: int) -> None:
        one = self.farm.member(self.one(place).name)
        remaining = [
            other
            for other in self.farm.course.members
            if other.wave == one.wave and other.state is not MemberState.GONE
        ]
        least = self.farm.rollout.waves[one.wave].gate.min_sample
        if len(remaining) > least and one.state is not MemberState.GONE:
            before = self.farm.may_offer()
            self.farm.put(one.after(MemberEvent.LEAVE))
            if one.failures > one.accepted:
                assert self.farm.may_offer() <= before, "15: a failure left with its machine"

    @rule(
        event=st.sampled_from([RolloutEvent.PAUSE, RolloutEvent.STOP, RolloutEvent.TAKE_BACK]),
        often=st.integers(0, 5),
    )
    def somebody_intervenes(self, event: RolloutEvent, often: int) -> None:
        if often and event is not RolloutEvent.PAUSE:
            return
        try:
            self.farm.settle(moved(self.farm.course, event, self.farm.now))
        except DomainError:
            return

    @rule(accepts=st.booleans())
    def resume(self, accepts: bool) -> None:  # noqa: FBT001 - Hypothesis gives it
        try:
            course = resumed(self.farm.course, self.farm.now, accepts_failures=accepts)
        except DomainError:
            return
        if accepts:
            self.accepted = sum(one.accepted for one in course.members)
        self.farm.settle(course)

    @rule(seldom=st.integers(0, 9))
    def revoke(self, seldom: int) -> None:
        if seldom == 0:
            self.farm.is_revoked = True
            self.farm.settle(self.farm.course)

    @invariant()
    def nothing_is_offered_that_must_not_be(self) -> None:
        if hasattr(self, "farm"):
            assert not self.farm.bad, self.farm.bad

    @invariant()
    def success_was_seen(self) -> None:
        """11: proven means attested at both ends of the soak, and nothing else since."""
        if not hasattr(self, "farm"):
            return
        for machine in self.farm.machines.values():
            one = self.farm.member(machine.name)
            if one.state is MemberState.PROVEN:
                soak = self.farm.rollout.waves[machine.wave].gate.soak
                assert self.farm.was_shown(machine, soak), f"11: {machine.name} did not show it"

    @invariant()
    def who_may_have_it_is_counted(self) -> None:
        """14: whoever has it or may take it is exposed, offline with stored orders or not."""
        if not hasattr(self, "farm"):
            return
        for machine in self.farm.machines.values():
            one = self.farm.member(machine.name)
            if machine.wanted == NEW and one.state is not MemberState.GONE:
                assert one.is_exposed, f"14: {machine.name} may take it, and counts as {one.state}"

    @invariant()
    def failures_are_not_given_back(self) -> None:
        """15: no retry, no success and no departure makes the count of failures fall."""
        if not hasattr(self, "farm"):
            return
        members = self.farm.course.members
        failures = sum(one.failures for one in members)
        seen = sum(machine.failures_seen for machine in self.farm.machines.values())
        assert failures == seen >= self.failures, "15: failures were given back"
        assert sum(one.accepted for one in members) == self.accepted, "15: nobody accepted that"
        self.failures = failures

    @invariant()
    def complete_means_that_all_of_it_was_shown(self) -> None:
        if hasattr(self, "farm") and self.farm.rollout.state is RolloutState.COMPLETE:
            lacks = [self.farm.lacking(wave) for wave in range(len(self.farm.rollout.waves))]
            assert not any(lacks), f"7: complete, and {lacks}"

    def teardown(self) -> None:
        """Once faults stop and a person answers, it ends well, or says what it waits for."""
        if not hasattr(self, "farm"):
            return
        for machine in self.farm.machines.values():
            machine.is_online = machine.is_well = machine.can_run = True
            machine.is_lying, machine.refused = False, -1
        for _ in range(8 * len(self.farm.rollout.waves)):
            self._a_person_answers()
            self.all_go_on(1)
            self.nothing_is_offered_that_must_not_be()
            self.success_was_seen()
        ends = {RolloutState.COMPLETE, RolloutState.STOPPED, RolloutState.TAKEN_BACK}
        left = plan.plan(self.farm.rollout, self.farm.course.members, self.farm.now)
        assert self.farm.rollout.state in ends, f"no end: {self.farm.rollout.state}, {left}"

    def _a_person_answers(self) -> None:
        if self.farm.rollout.state in (RolloutState.PAUSED, RolloutState.HALTED):
            self.resume(accepts=True)
        for machine in self.farm.machines.values():
            self.tried_again(machine)
            if machine.running is None:
                machine.running = OLD


Fleet.TestCase.settings = settings(
    max_examples=min(600, settings().max_examples), stateful_step_count=40, deadline=None
)
TestFleet = Fleet.TestCase


def _refunding(one: Member, now: datetime) -> Member:
    again = one.after(MemberEvent.RETRY)
    return replace(again, attempt=again.attempt + 1, offered_at=now, failures=0)


def _without_the_silent(*given: Any) -> gate.Tally:  # noqa: ANN401 - as the rule has them
    return replace(TALLY_OF(*given), waiting=0, pending=0, silent=0)


def _open_unless_it_fails(*given: Any) -> gate.Judgement:  # noqa: ANN401
    judged = JUDGE(*given)
    is_open = judged.verdict is Verdict.INCONCLUSIVE
    return replace(judged, verdict=Verdict.PASS) if is_open else judged


def _deaf_to(name: str) -> Callable[..., Any]:
    def offers(*given: Any, **more: Any) -> Any:  # noqa: ANN401
        return OFFERS(*given, **{one: value for one, value in more.items() if one != name})

    return offers


def _settled_whatever_is_revoked(course: Course, now: datetime, **_: bool) -> Course:
    return SETTLED(course, now)


Patches: TypeAlias = tuple[tuple[object, str, object], ...]

SETTLED = moves.settled
TALLY_OF, JUDGE, OFFERS = gate.tally_of, gate.judge, plan.offers
MOST = frozenset(RolloutState) - {RolloutState.HALTED}
GUARDS: dict[str, tuple[object, str, object]] = {
    "what runs counts, not what is said": (
        member,
        "_runs",
        lambda seen, proof: seen.running == proof.digest or seen.told is Told.DONE,
    ),
    "the soak is waited for": (member, "_is_over", lambda *_: True),
    "falling back later is seen": (member, "_has_fallen_back", lambda *_: False),
    "an agent that is not well counts": (member, "_worse", lambda *_: frozenset()),
    "who gives it back is counted until that was seen": (
        member,
        "_is_rid_of_it",
        lambda *_: True,
    ),
    "gates shut waves": (plan, "_shuts", lambda *_: None),
    "only a pass opens": (plan, "judge", _open_unless_it_fails),
    "who is offline counts as not proven": (plan, "tally_of", _without_the_silent),
    "limits are limits": (gate, "_exceeded", lambda *_: []),
    "a retry refunds nothing": (Member, "retried", _refunding),
    "paused is paused": (plan, "OFFERING", MOST),
    "what cannot run it gets nothing": (rollout_fleet, "offers", _deaf_to("forbidden")),
}
SHADOWED: dict[str, Patches] = {
    # Either wall alone holds: what is revoked is taken back at once, and offered to nobody.
    "what is revoked is offered to nobody": (
        (rollout_fleet, "offers", _deaf_to("is_revoked")),
        (rollout_fleet, "settled", _settled_whatever_is_revoked),
    ),
}


ALL_GUARDS = {**{name: (patch,) for name, patch in GUARDS.items()}, **SHADOWED}


@pytest.mark.parametrize("guard", ALL_GUARDS)
def test_every_guard_would_be_missed(guard: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An invariant that cannot fail holds nothing."""
    for holder, name, weaker in ALL_GUARDS[guard]:
        monkeypatch.setattr(holder, name, weaker)
    with pytest.raises(AssertionError, match=r"\d+: |no end"):
        run_state_machine_as_test(
            Fleet,
            settings=settings(
                max_examples=1_500,
                stateful_step_count=40,
                derandomize=True,
                database=None,
                deadline=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            ),
        )
