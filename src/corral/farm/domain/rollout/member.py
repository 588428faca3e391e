"""A machine's way through a rollout: one table, moved by evidence.

The check of a move, the tests, and the diagram in ``docs/reference/rollouts.md`` come from it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NewType

from corral.farm.domain.rollout.errors import MemberTransitionError
from corral.farm.domain.rollout.evidence import Told
from corral.farm.domain.rollout.health import Baseline, HealthLimits, Worse, compared

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from corral.farm.domain.rollout.evidence import Digest, Evidence

MemberId = NewType("MemberId", str)
"""A computer that is given a kit, or a user's virtual machine on a computer."""

WORSE: Final = "worse-than-before"
_A_DAY: Final = timedelta(days=1)


class MemberState(StrEnum):
    """How far a machine is."""

    WAITING = "waiting"
    """It was not offered anything."""
    OFFERED = "offered"
    """Its orders say so; it may not have heard of it, or may be offline with them."""
    UNDERWAY = "underway"
    """It knows, and is fetching, preparing, or waiting for its restart."""
    SOAKING = "soaking"
    """It was started from the new version, and has not yet been watched for long enough."""
    PROVEN = "proven"
    """It was seen to run the new version at the beginning and after the end of the soak, no worse
    off than before. The only success; withdrawn when something else is seen later."""
    FAILED = "failed"
    """It could not take it, or is worse off with it."""
    WENT_BACK = "went-back"
    """It runs something else again."""
    WITHDRAWN = "withdrawn"
    """It is not to have it any more, and nobody has seen yet that it has not."""
    RETURNED = "returned"
    """It was seen to run something else after that."""
    GONE = "gone"
    """It is no machine of this rollout any more. Its failures stay."""


class MemberEvent(StrEnum):
    """What can happen to a machine."""

    OFFER = "offer"
    HEAR = "hear"
    """It says that it knows of the offer."""
    ATTEST = "attest"
    """It was seen to run what was offered, after the offer."""
    UNSETTLE = "unsettle"
    """Its agent is not well just now: it has to be watched from the beginning."""
    PROVE = "prove"
    FAIL = "fail"
    FALL_BACK = "fall-back"
    RETRY = "retry"
    """Somebody says to try again. Gives nothing back to the limits of its gate."""
    WITHDRAW = "withdraw"
    RETURN = "return"
    LEAVE = "leave"


_S, _E = MemberState, MemberEvent

TRANSITIONS: Final[Mapping[tuple[MemberState, MemberEvent], MemberState]] = MappingProxyType(
    {
        (_S.WAITING, _E.OFFER): _S.OFFERED,
        (_S.WAITING, _E.LEAVE): _S.GONE,
        (_S.OFFERED, _E.HEAR): _S.UNDERWAY,
        (_S.OFFERED, _E.ATTEST): _S.SOAKING,
        (_S.OFFERED, _E.FAIL): _S.FAILED,
        (_S.OFFERED, _E.FALL_BACK): _S.WENT_BACK,
        (_S.OFFERED, _E.WITHDRAW): _S.WITHDRAWN,
        (_S.OFFERED, _E.LEAVE): _S.GONE,
        (_S.UNDERWAY, _E.ATTEST): _S.SOAKING,
        (_S.UNDERWAY, _E.FAIL): _S.FAILED,
        (_S.UNDERWAY, _E.FALL_BACK): _S.WENT_BACK,
        (_S.UNDERWAY, _E.WITHDRAW): _S.WITHDRAWN,
        (_S.UNDERWAY, _E.LEAVE): _S.GONE,
        (_S.SOAKING, _E.UNSETTLE): _S.SOAKING,
        (_S.SOAKING, _E.PROVE): _S.PROVEN,
        (_S.SOAKING, _E.FAIL): _S.FAILED,
        (_S.SOAKING, _E.FALL_BACK): _S.WENT_BACK,
        (_S.SOAKING, _E.WITHDRAW): _S.WITHDRAWN,
        (_S.SOAKING, _E.LEAVE): _S.GONE,
        (_S.PROVEN, _E.UNSETTLE): _S.SOAKING,
        (_S.PROVEN, _E.FAIL): _S.FAILED,
        (_S.PROVEN, _E.FALL_BACK): _S.WENT_BACK,
        (_S.PROVEN, _E.WITHDRAW): _S.WITHDRAWN,
        (_S.PROVEN, _E.LEAVE): _S.GONE,
        # A computer that tries again by itself may still get there; the failure stays counted.
        (_S.FAILED, _E.ATTEST): _S.SOAKING,
        (_S.FAILED, _E.FALL_BACK): _S.WENT_BACK,
        (_S.FAILED, _E.RETRY): _S.OFFERED,
        (_S.FAILED, _E.WITHDRAW): _S.WITHDRAWN,
        (_S.FAILED, _E.LEAVE): _S.GONE,
        (_S.WENT_BACK, _E.ATTEST): _S.SOAKING,
        (_S.WENT_BACK, _E.RETRY): _S.OFFERED,
        (_S.WENT_BACK, _E.WITHDRAW): _S.WITHDRAWN,
        (_S.WENT_BACK, _E.LEAVE): _S.GONE,
        (_S.WITHDRAWN, _E.RETURN): _S.RETURNED,
        (_S.WITHDRAWN, _E.LEAVE): _S.GONE,
        # It was started from the new version once more, from what it had kept.
        (_S.RETURNED, _E.ATTEST): _S.WITHDRAWN,
        (_S.RETURNED, _E.LEAVE): _S.GONE,
    }
)

UNSUCCESSFUL: Final = frozenset({_S.FAILED, _S.WENT_BACK})
UNTOUCHED: Final = frozenset({_S.WAITING, _S.RETURNED, _S.GONE})
"""Those that do not have the new version, and are not about to."""


def next_state(member: MemberId, state: MemberState, event: MemberEvent) -> MemberState:
    """Give the state after ``event``, refused if the table has no such arrow."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        allowed = [one for one in MemberEvent if (state, one) in TRANSITIONS]
        raise MemberTransitionError(member, state, event, allowed) from None


@dataclass(frozen=True)
class Proof:
    """What a machine has to show."""

    digest: Digest
    """That it runs this."""
    soak: timedelta
    """For so long, from the first check-in that shows it to another one that does."""
    health: HealthLimits = field(default_factory=HealthLimits)


@dataclass(frozen=True)
class Member:
    """A machine in a rollout."""

    id: MemberId
    wave: int
    state: MemberState = MemberState.WAITING
    attempt: int = 0
    offered_at: datetime | None = None
    seen_at: datetime | None = None
    """When its computer was last heard of since the offer."""
    attested_at: datetime | None = None
    """When it was first seen to run it, of the time that it was seen to without a break."""
    attested_starts: int = 0
    """How often it had been started by then."""
    failures: int = 0
    """How often it failed or went back, ever; only rises."""
    accepted: int = 0
    """How many of these somebody has looked at, and counts no more."""
    baseline: Baseline = field(default_factory=Baseline)
    """As it was when it was offered something."""
    watched_since: datetime | None = None
    """When it was first heard of in this rollout, before it was offered anything."""
    watched_starts: int = 0
    """How often it had been started by then."""
    code: str = ""
    problem: str = ""

    @property
    def is_exposed(self) -> bool:
        """Whether it has the new version, or may take it without asking again."""
        return self.state not in UNTOUCHED

    @property
    def counted_failures(self) -> int:
        """Those that nobody has accepted."""
        return self.failures - self.accepted

    def after(self, event: MemberEvent) -> Member:
        """Give it as it is after something that a person or the farm does."""
        state = next_state(self.id, self.state, event)
        failed = state in UNSUCCESSFUL and self.state not in UNSUCCESSFUL
        return replace(self, state=state, failures=self.failures + failed)

    def offered(self, now: datetime, baseline: Baseline, attempt: int = 0) -> Member:
        """Give it as it is from the moment that its orders say so, under that number."""
        return replace(self.after(_E.OFFER), offered_at=now, baseline=baseline, attempt=attempt)

    @property
    def can_retry(self) -> bool:
        """Whether it failed or went back, so that it may be tried again."""
        return (self.state, _E.RETRY) in TRANSITIONS

    def retried(self, now: datetime) -> Member:
        """Give it as it is once somebody said to try again."""
        again = self.after(_E.RETRY)
        return replace(
            again, attempt=again.attempt + 1, offered_at=now, attested_at=None, code="", problem=""
        )

    def watched(self, evidence: Evidence) -> Member:
        """Give it with its past begun, if that has not been yet."""
        if self.watched_since is not None or self.state is not MemberState.WAITING:
            return self
        return replace(self, watched_since=evidence.at, watched_starts=evidence.starts)

    def past(self, evidence: Evidence) -> Baseline:
        """Give what it was like up to now, by what it says now.

        How often it is restarted is known of a machine that was watched for a day.
        """
        habit = None
        if self.watched_since is not None and evidence.at - self.watched_since >= _A_DAY:
            days = (evidence.at - self.watched_since) / _A_DAY
            habit = max(0, evidence.starts - self.watched_starts) / days
        return Baseline(evidence.boot_milliseconds, habit, evidence.is_healthy)

    def excused(self) -> Member:
        """Give it with its failures accepted."""
        return replace(self, accepted=self.failures)


def heard(member: Member, evidence: Evidence, proof: Proof) -> Member:
    """Give the machine as it is after a check-in. What came before the offer says nothing.

    Success comes from what was seen to run, failure also from what the computer says: a computer
    that calls itself done is not believed, one that says that it failed is.
    """
    if member.offered_at is None or evidence.at <= member.offered_at:
        return member
    if member.seen_at is not None and evidence.at < member.seen_at:
        return member
    seen = replace(member, seen_at=evidence.at, code=evidence.code, problem=evidence.problem)
    if _runs(evidence, proof):
        return _seen_to_run(seen, evidence, proof)
    if seen.state in (_S.WITHDRAWN, _S.RETURNED):
        return _moved(seen, _E.RETURN) if _is_rid_of_it(evidence, proof) else seen
    if _has_fallen_back(seen, evidence, proof):
        return replace(_moved(seen, _E.FALL_BACK), attested_at=None)
    if _is_of_this_attempt(seen, evidence, proof):
        if evidence.told is Told.FAILED:
            return replace(_moved(seen, _E.FAIL), attested_at=None)
        return _moved(seen, _E.HEAR)
    return seen


def _runs(evidence: Evidence, proof: Proof) -> bool:
    """Whether it was seen to run what was offered; its word is not asked for."""
    return evidence.running == proof.digest


def _is_rid_of_it(evidence: Evidence, proof: Proof) -> bool:
    """Whether it was seen to run something else, and has heard that it should."""
    return evidence.running is not None and evidence.wanted != proof.digest


def _has_fallen_back(member: Member, evidence: Evidence, proof: Proof) -> bool:
    """Whether it runs something else after it had run this, or says that it went back."""
    ran_it = member.state in (_S.SOAKING, _S.PROVEN)
    if ran_it and evidence.running is not None:
        return True
    return evidence.told is Told.WENT_BACK and _is_of_this_attempt(member, evidence, proof)


def _is_of_this_attempt(member: Member, evidence: Evidence, proof: Proof) -> bool:
    return evidence.wanted == proof.digest and evidence.attempt >= member.attempt


def _seen_to_run(member: Member, evidence: Evidence, proof: Proof) -> Member:
    if member.state is _S.RETURNED:
        return _moved(member, _E.ATTEST)
    if member.state in (_S.WITHDRAWN, _S.GONE):
        return member
    seen = member
    if seen.state not in (_S.SOAKING, _S.PROVEN) or seen.attested_at is None:
        seen = _moved(seen, _E.ATTEST)
        seen = replace(seen, attested_at=evidence.at, attested_starts=evidence.starts)
    worse = _worse(seen, evidence, proof)
    if worse - {Worse.AGENT}:
        words = "worse off than before: " + ", ".join(sorted(worse))
        return replace(_moved(seen, _E.FAIL), code=WORSE, problem=words, attested_at=None)
    if Worse.AGENT in worse:
        # An agent may be late once; that it never comes back keeps the machine from being proven.
        return replace(_moved(seen, _E.UNSETTLE), attested_at=None, code=WORSE)
    if _is_over(seen, evidence, proof) and evidence.told is not Told.ON_TRIAL:
        return _moved(seen, _E.PROVE)
    return seen


def _worse(member: Member, evidence: Evidence, proof: Proof) -> frozenset[Worse]:
    watched = evidence.at - (member.attested_at or evidence.at)
    restarts = max(0, evidence.starts - member.attested_starts)
    return compared(member.baseline, evidence, proof.health, restarts, watched)


def _is_over(member: Member, evidence: Evidence, proof: Proof) -> bool:
    """Whether the soak is over, by what was seen and not by what the clock says."""
    return member.attested_at is not None and evidence.at - member.attested_at >= proof.soak


def _moved(member: Member, event: MemberEvent) -> Member:
    """Give it after something that was seen; nothing new if the table has no arrow for that."""
    return member.after(event) if (member.state, event) in TRANSITIONS else member
