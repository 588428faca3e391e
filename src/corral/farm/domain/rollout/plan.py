"""What a rollout does next, and for whom it does nothing and why. Pure.

Nothing is remembered of what a gate said before: each question is answered from the machines as
they are at that moment, so that a machine that falls back closes what its success had opened.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeAlias

from corral.farm.domain.rollout.gate import Tally, Verdict, judge, tally_of
from corral.farm.domain.rollout.member import MemberState
from corral.farm.domain.rollout.state import OFFERING, TRANSITIONS, RolloutEvent, RolloutState

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime

    from corral.farm.domain.library.compatibility import Forbidden
    from corral.farm.domain.rollout.gate import Judgement
    from corral.farm.domain.rollout.member import Member, MemberId
    from corral.farm.domain.rollout.rollout import Rollout


class WhyNot(StrEnum):
    """Why a machine is not offered what is rolled out: the whole list."""

    NOT_A_MEMBER = "not-a-member"
    """It is in none of the waves."""
    PAUSED = "paused"
    HALTED = "halted"
    """A gate failed, and nobody has accepted that."""
    STOPPED = "stopped"
    TAKEN_BACK = "taken-back"
    GATE_FAILS = "gate-fails"
    GATE_INCONCLUSIVE = "gate-inconclusive"
    """A wave before its own has not shown enough yet."""
    FORBIDDEN = "forbidden"
    """The machine could not run it: the fact says why."""
    REVOKED = "revoked"
    """It was withdrawn from the farm, or is not there in full."""
    LEFT = "left"
    """It had it, and is not to have it again in this rollout."""


@dataclass(frozen=True)
class Offered:
    """The machine's orders name what is rolled out."""

    attempt: int = 0
    is_new: bool = False
    """Whether they did not before: it has to be written down before they are given."""


@dataclass(frozen=True)
class NotOffered:
    """The machine's orders do not name it."""

    why: WhyNot
    wave: int | None = None
    """Whose gate it waits for."""
    fact: Forbidden | None = None

    def __str__(self) -> str:
        match self.why:
            case WhyNot.GATE_FAILS | WhyNot.GATE_INCONCLUSIVE:
                return f"{self.why.value} (wave {(self.wave or 0) + 1})"
            case WhyNot.FORBIDDEN:
                return f"{self.why.value}: {self.fact}"
            case _:
                return self.why.value


Answer: TypeAlias = Offered | NotOffered

_STANDSTILL: Final = {
    RolloutState.PAUSED: WhyNot.PAUSED,
    RolloutState.HALTED: WhyNot.HALTED,
    RolloutState.STOPPED: WhyNot.STOPPED,
    RolloutState.TAKING_BACK: WhyNot.TAKEN_BACK,
    RolloutState.TAKEN_BACK: WhyNot.TAKEN_BACK,
}


def judgements(rollout: Rollout, tallies: Iterable[Tally]) -> tuple[Judgement, ...]:
    """Say what every gate says of the machines as they were counted now."""
    counted = {tally.wave: tally for tally in tallies}
    return tuple(
        judge(wave.gate, counted.get(number, Tally(number)))
        for number, wave in enumerate(rollout.waves)
    )


def tallies_of(rollout: Rollout, members: Iterable[Member], now: datetime) -> tuple[Tally, ...]:
    """Count the machines of each wave."""
    known = tuple(members)
    since = now - rollout.silent_after
    return tuple(tally_of(number, known, since) for number in range(len(rollout.waves)))


def offers(
    rollout: Rollout,
    member: Member | None,
    tallies: Iterable[Tally],
    *,
    is_revoked: bool = False,
    forbidden: Forbidden | None = None,
) -> Answer:
    """Say whether a machine's orders name what is rolled out, and if not, why.

    ``tallies`` are the waves as they are counted now; a wave that nobody counted is shut. A machine
    that was offered it before goes on being offered it while the rollout stands still: what was
    begun is finished.
    """
    if member is None:
        return NotOffered(WhyNot.NOT_A_MEMBER)
    if is_revoked:
        return NotOffered(WhyNot.REVOKED)
    if member.state in (MemberState.WITHDRAWN, MemberState.RETURNED, MemberState.GONE):
        return NotOffered(WhyNot.LEFT)
    if forbidden is not None:
        return NotOffered(WhyNot.FORBIDDEN, fact=forbidden)
    if member.state is not MemberState.WAITING:
        return Offered(member.attempt)
    if rollout.state not in OFFERING:
        return NotOffered(_STANDSTILL[rollout.state])
    closed = _shuts(member.wave, judgements(rollout, tallies))
    if closed is not None:
        why = WhyNot.GATE_FAILS if closed.verdict is Verdict.FAIL else WhyNot.GATE_INCONCLUSIVE
        return NotOffered(why, closed.wave)
    return Offered(member.attempt, is_new=True)


def _shuts(wave: int, judged: Sequence[Judgement]) -> Judgement | None:
    """Give a gate that keeps a wave shut now: any that fails, or one before it that is not open."""
    failing = (one for one in judged if one.verdict is Verdict.FAIL)
    waiting = (one for one in judged[:wave] if one.verdict is not Verdict.PASS)
    return next(failing, None) or next(waiting, None)


@dataclass(frozen=True)
class Plan:
    """What a rollout comes to now."""

    judged: tuple[Judgement, ...]
    open_waves: int
    """So many waves are open."""
    event: RolloutEvent | None
    """What happens to the rollout; the caller writes it down, and plans again."""
    why: str
    """In words, for whoever reads that."""
    waiting: tuple[tuple[MemberId, NotOffered], ...]
    """Every machine that is not offered it, with the reason."""


def plan(
    rollout: Rollout,
    members: Iterable[Member],
    now: datetime,
    *,
    is_revoked: bool = False,
    forbidden: Collection[tuple[MemberId, Forbidden]] = (),
) -> Plan:
    """Say what happens next. Total: every state and every set of machines has an answer."""
    known = sorted(members, key=lambda one: one.id)
    tallies = tallies_of(rollout, known, now)
    judged = judgements(rollout, tallies)
    facts = dict(forbidden)
    is_exposed = any(one.is_exposed for one in known)
    event, why = next_event(rollout, judged, is_exposed=is_exposed, is_revoked=is_revoked)
    answers = [
        (one.id, offers(rollout, one, tallies, is_revoked=is_revoked, forbidden=facts.get(one.id)))
        for one in known
        if one.state is not MemberState.GONE
    ]
    return Plan(
        judged,
        _open_waves(rollout, judged),
        event,
        why,
        tuple((one, answer) for one, answer in answers if isinstance(answer, NotOffered)),
    )


def _open_waves(rollout: Rollout, judged: Sequence[Judgement]) -> int:
    if rollout.state not in OFFERING:
        return 0
    return sum(1 for one in judged if _shuts(one.wave, judged) is None)


def next_event(
    rollout: Rollout, judged: Sequence[Judgement], *, is_exposed: bool, is_revoked: bool = False
) -> tuple[RolloutEvent | None, str]:
    """Say what happens to the rollout itself, with the reason in words.

    ``is_exposed`` says whether any machine has what is rolled out, or may take it.
    """
    state = rollout.state
    if is_revoked and (state, RolloutEvent.TAKE_BACK) in TRANSITIONS:
        return RolloutEvent.TAKE_BACK, f"{rollout.offering.name} was withdrawn from the farm"
    if state is RolloutState.TAKING_BACK and not is_exposed:
        return RolloutEvent.RETURNED, "every machine was seen to run something else"
    if state is RolloutState.TAKEN_BACK and is_exposed:
        return RolloutEvent.REAPPEAR, "a machine was seen to run it again"
    if state in (RolloutState.RUNNING, RolloutState.PAUSED, RolloutState.COMPLETE):
        failing = next((one for one in judged if one.verdict is Verdict.FAIL), None)
        if failing is not None:
            name = rollout.waves[failing.wave].name
            return RolloutEvent.HALT, f"the gate of wave {name} says {failing}"
    passes = all(one.verdict is Verdict.PASS for one in judged)
    if state is RolloutState.RUNNING and passes:
        said = ", ".join(f"{rollout.waves[one.wave].name} {one}" for one in judged)
        return RolloutEvent.COMPLETE, f"every gate passes: {said}"
    if state is RolloutState.COMPLETE and not passes:
        shut = next(one for one in judged if one.verdict is not Verdict.PASS)
        return RolloutEvent.REOPEN, f"the gate of wave {rollout.waves[shut.wave].name} says {shut}"
    return None, ""
