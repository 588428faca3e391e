"""The gate behind a wave: pass, fail, or not enough is known. Only a pass opens the next wave.

Success is counted against the whole wave, so that machines which are offline or late stand for
nothing and are no success. Failure is counted against those that showed one or the other, so that
machines which nobody has heard of do not make failures rare. No count of failures ever falls.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from corral.farm.domain.rollout.errors import GateInvalidError
from corral.farm.domain.rollout.member import UNSUCCESSFUL, MemberState

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from corral.farm.domain.rollout.member import Member

_ALL: Final = 100
_MOST: Final = 1_000_000
_LONGEST_SOAK: Final = timedelta(days=365)


class Verdict(StrEnum):
    """What a gate says."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


class Reason(StrEnum):
    """Why it says so."""

    TOO_MANY_FAILED = "more failures than the limit"
    TOO_LARGE_A_SHARE_FAILED = "a larger share failed than the limit"
    TOO_SMALL_A_SAMPLE = "fewer have shown anything than the least sample"
    TOO_SMALL_A_SHARE_PROVEN = "a smaller share is proven than the least one"
    NO_MACHINES = "no machine is left in the wave"


@dataclass(frozen=True)
class Gate:
    """What a wave has to show before the next one begins."""

    min_sample: int = 1
    """So many machines must have been proven or have failed before shares are judged."""
    min_proven_percent: int = 80
    """So many per cent of all machines of the wave must be proven, the offline ones among them."""
    max_failures: int = 0
    """It fails if there were more failures than this."""
    max_failed_percent: int = 10
    """Or if more per cent of the machines that have shown something failed."""
    soak: timedelta = timedelta(hours=1)
    """How long each machine is watched before it is proven."""

    def __post_init__(self) -> None:
        for what, given, least, most in (
            ("least sample of machines", self.min_sample, 1, _MOST),
            ("least share of proven machines in per cent", self.min_proven_percent, 1, _ALL),
            ("limit of failures", self.max_failures, 0, _MOST),
            ("limit of failed machines in per cent", self.max_failed_percent, 0, _ALL),
        ):
            # True is a number in Python, and 50.5 would be compared like one.
            if type(given) is not int or not least <= given <= most:
                rule = f"it must be a whole number of {least} to {most}"
                raise GateInvalidError(what, given, rule)
        what = "soak"
        is_time = isinstance(self.soak, timedelta)
        if not is_time or not timedelta(0) <= self.soak <= _LONGEST_SOAK:
            raise GateInvalidError(what, str(self.soak), "it must be 0 to 365 days")


@dataclass(frozen=True)
class Tally:
    """The machines of a wave, counted: each that is not gone stands in one of the first six."""

    wave: int
    waiting: int = 0
    pending: int = 0
    """Offered, and heard of not too long ago."""
    silent: int = 0
    """Offered, and not heard of for too long: whatever they run is not known."""
    proven: int = 0
    failed: int = 0
    """Failed or went back, and have not been proven since."""
    returned: int = 0
    failures: int = 0
    """That nobody has accepted, of those that are gone, too."""
    failed_machines: int = 0
    """That have at least one of these, whatever became of them."""
    shown: int = 0
    """That are proven, or have at least one of these."""

    @property
    def all(self) -> int:
        """All machines of the wave that are not gone."""
        told = self.pending + self.silent + self.proven + self.failed
        return self.waiting + told + self.returned


@dataclass(frozen=True)
class Judgement:
    """What a gate says now, and why."""

    verdict: Verdict
    reasons: tuple[Reason, ...]
    tally: Tally

    @property
    def wave(self) -> int:
        """The wave that the gate is behind."""
        return self.tally.wave

    def __str__(self) -> str:
        seen = self.tally
        words = f"{seen.proven} of {seen.all} proven, failures: {seen.failures}"
        words += f", not heard of: {seen.silent}" if seen.silent else ""
        return f"{self.verdict.value}: {'; '.join((*self.reasons, words))}"


def judge(gate: Gate, tally: Tally) -> Judgement:
    """Say what a gate says of a wave as it is now. Pure and total."""
    fail, lacking = _exceeded(gate, tally), _lacking(gate, tally)
    if fail:
        return Judgement(Verdict.FAIL, tuple(fail), tally)
    if lacking:
        return Judgement(Verdict.INCONCLUSIVE, tuple(lacking), tally)
    return Judgement(Verdict.PASS, (), tally)


def _exceeded(gate: Gate, tally: Tally) -> list[Reason]:
    """Give the limits that are exceeded; each alone fails the gate."""
    found = []
    if tally.failures > gate.max_failures:
        found.append(Reason.TOO_MANY_FAILED)
    is_sample = tally.shown >= gate.min_sample
    if is_sample and _ALL * tally.failed_machines > gate.max_failed_percent * tally.shown:
        found.append(Reason.TOO_LARGE_A_SHARE_FAILED)
    return found


def _lacking(gate: Gate, tally: Tally) -> list[Reason]:
    """Give what is not shown yet; each alone keeps the gate from passing."""
    if not tally.all:
        return [Reason.NO_MACHINES]
    found = []
    if tally.shown < gate.min_sample:
        found.append(Reason.TOO_SMALL_A_SAMPLE)
    if _ALL * tally.proven < gate.min_proven_percent * tally.all:
        found.append(Reason.TOO_SMALL_A_SHARE_PROVEN)
    return found


def tally_of(wave: int, members: Iterable[Member], silent_since: datetime) -> Tally:
    """Count the machines of a wave; silent are those not heard of since that moment."""
    own = [one for one in members if one.wave == wave]
    failed = {one.id for one in own if one.counted_failures}
    proven = {one.id for one in own if one.state is MemberState.PROVEN}
    told = [one for one in own if one.state in TOLD]
    silent = sum(is_silent(one, silent_since) for one in told)
    return Tally(
        wave,
        waiting=sum(one.state is MemberState.WAITING for one in own),
        pending=len(told) - silent,
        silent=silent,
        proven=len(proven),
        failed=sum(one.state in UNSUCCESSFUL for one in own),
        returned=sum(one.state is MemberState.RETURNED for one in own),
        failures=sum(one.counted_failures for one in own),
        failed_machines=len(failed),
        shown=len(failed | proven),
    )


TOLD: Final = frozenset(
    {
        MemberState.OFFERED,
        MemberState.UNDERWAY,
        MemberState.SOAKING,
        MemberState.WITHDRAWN,
    }
)
"""Of whose machines something is still to be heard."""


def is_silent(member: Member, since: datetime) -> bool:
    """Whether it was offered something, and has not been heard of since."""
    last = member.seen_at or member.offered_at
    return last is not None and last < since
