"""Rollouts, machines and check-ins to try rules with."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from corral.farm.domain.rollout.evidence import Digest, Evidence, Told
from corral.farm.domain.rollout.gate import Gate
from corral.farm.domain.rollout.health import Baseline
from corral.farm.domain.rollout.member import Member, MemberId, MemberState, heard
from corral.farm.domain.rollout.plan import Answer, Offered, offers, tallies_of
from corral.farm.domain.rollout.rollout import Given, Offering, Rollout, RolloutId, RolloutName
from corral.farm.domain.rollout.state import RolloutState
from corral.farm.domain.rollout.wave import Wave

NOW: Final = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)
NEW: Final = Digest("ab" * 32)
OLD: Final = Digest("01" * 32)
SOAK: Final = timedelta(hours=1)


def at(hours: float) -> datetime:
    return NOW + timedelta(hours=hours)


def rollout(*gates: Gate, state: RolloutState = RolloutState.RUNNING, **more: Any) -> Rollout:  # noqa: ANN401
    """Give a rollout with a wave for each gate, of as many equal shares."""
    given = gates or (Gate(),)
    waves = tuple(
        Wave(f"w{place}", 100 * place // len(given), gate=gate)
        for place, gate in enumerate(given, 1)
    )
    offering = Offering(Given.VERSION, "debian/2", NEW)
    name = RolloutName("two")
    return Rollout(RolloutId(UUID(int=1)), name, offering, waves, NOW, state=state, **more)


def waiting(name: str, wave: int = 0) -> Member:
    return Member(MemberId(name), wave)


def offered(name: str, wave: int = 0, baseline: Baseline | None = None) -> Member:
    return waiting(name, wave).offered(NOW, baseline or Baseline())


def runs(hours: float, digest: Digest | None = NEW, **more: Any) -> Evidence:  # noqa: ANN401
    """Give a check-in so many hours later that shows what runs."""
    return Evidence(at(hours), **{"wanted": NEW, "told": Told.DONE, "running": digest, **more})


def says(hours: float, told: Told, **more: Any) -> Evidence:  # noqa: ANN401
    """Give a check-in in which the machine runs what it had, and says something."""
    return Evidence(at(hours), **{"wanted": NEW, "told": told, "running": OLD, **more})


def after(one: Member, *evidence: Evidence, of: Rollout | None = None) -> Member:
    """Give a machine as it is after check-ins."""
    proof = (of or rollout()).proof(0)
    for seen in evidence:
        one = heard(one, seen, proof)
    return one


def proven(name: str, wave: int = 0) -> Member:
    found = after(offered(name, wave), runs(0.1), runs(1.2))
    assert found.state is MemberState.PROVEN
    return found


def failed(name: str, wave: int = 0) -> Member:
    found = after(offered(name, wave), says(0.1, Told.FAILED, code="no-room"))
    assert found.state is MemberState.FAILED
    return found


def answer(
    of: Rollout,
    one: Member | None,
    others: Iterable[Member] = (),
    now: datetime = NOW,
    **more: Any,  # noqa: ANN401
) -> Answer:
    """Say whether a machine is offered something, beside others."""
    members = [*others, *([] if one is None else [one])]
    return offers(of, one, tallies_of(of, members, now), **more)


def is_offered(of: Rollout, one: Member, others: Sequence[Member], now: datetime = NOW) -> bool:
    return isinstance(answer(of, one, others, now), Offered)
