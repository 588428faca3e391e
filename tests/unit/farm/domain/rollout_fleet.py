"""A fleet of machines with a will of their own, and the farm's part of a rollout to them.

The machines are the truth; the farm knows only what check-ins bring. Answers may be lost, machines
may be offline, be late, lie, go back, fail, or be told that something else is wrong with them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.unit.farm.domain.rollouts import NEW, NOW, OLD

from corral.farm.domain.library.compatibility import Forbidden
from corral.farm.domain.library.manifest import FactId
from corral.farm.domain.rollout.evidence import Digest, Evidence, Told
from corral.farm.domain.rollout.health import Baseline
from corral.farm.domain.rollout.member import Member, MemberId, MemberState, heard
from corral.farm.domain.rollout.moves import Course, settled
from corral.farm.domain.rollout.plan import NotOffered, Offered, offers, tallies_of
from corral.farm.domain.rollout.rollout import Rollout

TOO_OLD = Forbidden(FactId("engine-4.5/runs-image-formats"), "too old", "upgrade the engine")


@dataclass
class Machine:
    """What is really so."""

    name: MemberId
    wave: int
    running: Digest | None = OLD
    wanted: Digest = OLD
    """By the orders in force on it."""
    attempt: int = 0
    told: Told = Told.DONE
    is_well: bool = True
    is_online: bool = True
    is_lying: bool = False
    can_run: bool = True
    refused: int = -1
    """The last attempt that it went back from: it does not try that one again."""
    log: list[Evidence] = field(default_factory=list)
    """Everything that the farm has heard of it since it was offered something."""
    offered_at: datetime | None = None
    was_well: bool = False
    """When it was offered something."""
    failures_seen: int = 0

    def evidence(self, now: datetime) -> Evidence:
        """Say what its next check-in says; a liar calls itself done, but attests what it runs."""
        told = Told.DONE if self.is_lying else self.told
        return Evidence(
            now,
            wanted=NEW if self.is_lying else self.wanted,
            attempt=self.attempt,
            told=told,
            running=self.running,
            is_healthy=self.is_well if self.running else None,
        )


class Farm:
    """Check-ins and orders, by the rules alone."""

    def __init__(self, rollout: Rollout, waves: list[int]) -> None:
        self.now = NOW
        self.machines = {
            MemberId(f"m{n}"): Machine(MemberId(f"m{n}"), wave) for n, wave in enumerate(waves)
        }
        members = tuple(Member(one.name, one.wave) for one in self.machines.values())
        self.course = Course(rollout, members)
        self.is_revoked = False
        self.bad: list[str] = []

    @property
    def rollout(self) -> Rollout:
        return self.course.rollout

    def member(self, name: MemberId) -> Member:
        return next(one for one in self.course.members if one.id == name)

    def put(self, member: Member) -> None:
        others = (one for one in self.course.members if one.id != member.id)
        members = tuple(sorted((*others, member), key=lambda one: one.id))
        self.settle(Course(self.rollout, members))

    def settle(self, course: Course) -> None:
        self.course = settled(course, self.now, is_revoked=self.is_revoked)

    def may_offer(self) -> set[MemberId]:
        """Give the machines that would be offered it newly, if they asked now."""
        tallies = tallies_of(self.rollout, self.course.members, self.now)
        answers = {
            one.id: offers(self.rollout, one, tallies, is_revoked=self.is_revoked)
            for one in self.course.members
        }
        return {
            one for one, found in answers.items() if isinstance(found, Offered) and found.is_new
        }

    def check_in(self, machine: Machine, *, is_lost: bool = False) -> None:
        """Hear it, and answer with orders, which may get lost on the way."""
        self.now += timedelta(seconds=1)
        said = machine.evidence(self.now)
        if machine.offered_at is not None:
            machine.log.append(said)
        member = self.member(machine.name)
        if member.state is not MemberState.GONE:
            self.put(heard(member, said, self.rollout.proof(member.wave)))
        member = self.member(machine.name)
        tallies = tallies_of(self.rollout, self.course.members, self.now)
        answer = offers(
            self.rollout,
            member,
            tallies,
            is_revoked=self.is_revoked,
            forbidden=None if machine.can_run else TOO_OLD,
        )
        if isinstance(answer, Offered):
            self.bad += self._wrong_with(answer, machine)
        if isinstance(answer, Offered) and answer.is_new:
            was_healthy = machine.is_well if machine.running else None
            self.put(member.offered(self.now, Baseline(was_healthy=was_healthy)))
            machine.offered_at = self.now
            machine.was_well = bool(was_healthy)
            machine.log = []
        if not is_lost:
            self._give(machine, answer)

    def _give(self, machine: Machine, answer: Offered | NotOffered) -> None:
        wanted, attempt = OLD, machine.attempt
        if isinstance(answer, Offered):
            wanted, attempt = NEW, answer.attempt
        if (wanted, attempt) != (machine.wanted, machine.attempt):
            machine.wanted, machine.attempt = wanted, attempt
            machine.told = Told.UNDER_WAY if wanted is NEW else Told.DONE

    def _wrong_with(self, answer: Offered, machine: Machine) -> Iterator[str]:
        """Say what must not be about an offer, from what was heard and not from what is judged."""
        if self.is_revoked:
            yield "16: what was revoked is offered"
        if not machine.can_run:
            yield "6: offered to an engine that cannot run it"
        if not answer.is_new:
            return
        if self.rollout.state.value not in ("running", "complete"):
            yield f"18: offered while {self.rollout.state}"
        for wave in range(machine.wave):
            lack = self.lacking(wave)
            if lack:
                yield f"12, 13: wave {machine.wave} is offered something while {lack}"

    def lacking(self, wave: int) -> str:
        """Say what the gate of a wave has not been shown, by counting check-ins alone."""
        gate = self.rollout.waves[wave].gate
        own = [
            one
            for one in self.machines.values()
            if one.wave == wave and self.member(one.name).state is not MemberState.GONE
        ]
        shown = [one for one in own if self.was_shown(one, gate.soak)]
        if not own or 100 * len(shown) < gate.min_proven_percent * len(own):
            return f"{len(shown)} of {len(own)} have shown it in wave {wave}"
        failures = sum(
            one.failures_seen - self.member(one.name).accepted
            for one in self.machines.values()
            if one.wave == wave
        )
        if failures > gate.max_failures:
            return f"{failures} failures in wave {wave}"
        return ""

    def was_shown(self, machine: Machine, soak: timedelta) -> bool:
        """Whether check-ins show that it runs it, and ran it well all through the soak."""
        since: datetime | None = None
        is_shown = False
        for seen in machine.log:
            well = not (machine.was_well and seen.is_healthy is False)
            if seen.running == NEW and well:
                since = since or seen.at
                is_shown = is_shown or seen.at - since >= soak
            elif seen.running is not None:
                since, is_shown = None, False
        return is_shown

    def change(self, machine: Machine) -> None:
        """Let a machine do what its orders say."""
        if machine.wanted == NEW and machine.attempt > machine.refused:
            machine.running, machine.told = NEW, Told.UNDER_WAY
        elif machine.wanted == OLD:
            machine.running, machine.told = OLD, Told.DONE

    def go_back(self, machine: Machine) -> None:
        """Let it not prove itself, and go back by itself."""
        if machine.running == NEW:
            machine.running, machine.told = OLD, Told.WENT_BACK
            machine.refused = machine.attempt
