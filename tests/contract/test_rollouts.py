"""Rollouts, their machines and given kits, in every kind of records."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corral.farm.application.ports.records import Transactions
from corral.farm.domain.computer.computer import ComputerId
from corral.farm.domain.library.assignment import KitAssignment
from corral.farm.domain.library.errors import KitAssignmentChangedError
from corral.farm.domain.library.item import ItemId
from corral.farm.domain.rollout.errors import (
    RolloutChangedError,
    RolloutNameTakenError,
    RolloutUnknownError,
)
from corral.farm.domain.rollout.evidence import Digest
from corral.farm.domain.rollout.gate import Gate, tally_of
from corral.farm.domain.rollout.health import Baseline, HealthLimits
from corral.farm.domain.rollout.member import Member, MemberId, MemberState
from corral.farm.domain.rollout.rollout import (
    Given,
    Offering,
    Rollout,
    RolloutId,
    rollout_name,
)
from corral.farm.domain.rollout.state import RolloutEvent, RolloutState
from corral.farm.domain.rollout.wave import Wave
from tests.contract.things import NOW, later


def rollout(name: str, number: int) -> Rollout:
    return Rollout(
        id=RolloutId(UUID(int=number)),
        name=rollout_name(name),
        offering=Offering(Given.VERSION, f"debian/{number}", Digest(f"{number:064x}")),
        waves=(
            Wave("ring", ring=frozenset({"laptop", "rboston"})),
            Wave("all", 100, gate=Gate(2, 50, 1, 20, timedelta(minutes=5))),
        ),
        started_at=later(-number),
        started_by="account ada",
        health=HealthLimits(boot_percent=None),
        silent_after=timedelta(hours=3),
    )


def computer_id(number: int) -> ComputerId:
    return ComputerId(UUID(int=number))


def member(computer: int, wave: int = 0, user: int | None = 7) -> Member:
    whose = "" if user is None else f"/{UUID(int=user)}"
    return Member(MemberId(f"{computer_id(computer)}{whose}"), wave)


def test_rollouts_come_in_the_order_in_which_they_began(transactions: Transactions) -> None:
    first, second = rollout("b", 2), rollout("a", 1)
    with transactions.writing() as records:
        records.rollouts.add(second)
        records.rollouts.add(first)
        with pytest.raises(RolloutNameTakenError):
            records.rollouts.add(replace(rollout("a", 3)))
        halted = first.after(RolloutEvent.HALT, later(1), "too many failed")
        changed = records.rollouts.change(first, halted)
        assert changed == replace(halted, revision=2)
        with pytest.raises(RolloutChangedError):
            records.rollouts.change(first, halted)
    with transactions.reading() as records:
        assert records.rollouts.all() == [changed, second]
        assert records.rollouts.get(first.name) == records.rollouts.with_id(first.id) == changed
        assert changed.state is RolloutState.HALTED


def test_what_was_removed_is_gone_with_its_machines(transactions: Transactions) -> None:
    one = rollout("a", 1)
    with transactions.writing() as records:
        records.rollouts.add(one)
        records.rollout_members.put(one.id, [member(1)])
        assert records.rollouts.looked_at(one.id) is None
        records.rollouts.set_looked_at(one.id, later(3))
        assert records.rollouts.looked_at(one.id) == later(3)
        records.rollouts.remove(one.id)
        records.rollouts.remove(one.id)
    with transactions.reading() as records:
        assert records.rollouts.all() == []
        assert records.rollouts.looked_at(one.id) is None
        assert records.rollout_members.of_rollout(one.id) == []
        with pytest.raises(RolloutUnknownError):
            records.rollouts.get(one.name)
        with pytest.raises(RolloutUnknownError):
            records.rollouts.with_id(one.id)


def test_machines_are_kept_whole_and_found_by_their_computer(transactions: Transactions) -> None:
    one, other = rollout("a", 1), rollout("b", 2)
    full = replace(
        member(1),
        state=MemberState.SOAKING,
        attempt=3,
        offered_at=later(1),
        seen_at=later(2),
        attested_at=later(2),
        attested_starts=1 << 40,
        failures=2,
        accepted=1,
        baseline=Baseline(20_000, 1.5, was_healthy=False),
        watched_since=later(-9),
        watched_starts=4,
        code="no-room",
        problem="the disk is full",
    )
    with transactions.writing() as records:
        records.rollouts.add(one)
        records.rollouts.add(other)
        records.rollout_members.put(one.id, [member(2), member(1)])
        records.rollout_members.put(one.id, [full, member(1, 1, 8)])
        records.rollout_members.put(other.id, [member(1, user=None)])
        records.rollout_members.put(other.id, [])
    with transactions.reading() as records:
        assert records.rollout_members.of_rollout(one.id) == [full, member(1, 1, 8), member(2)]
        assert records.rollout_members.find(one.id, full.id) == full
        assert records.rollout_members.find(other.id, full.id) is None
        assert records.rollout_members.of_computer(computer_id(1)) == {
            one.id: [full, member(1, 1, 8)],
            other.id: [member(1, user=None)],
        }
        assert records.rollout_members.of_computer(computer_id(3)) == {}
        assert records.rollout_members.count_exposed(one.id) == 1


MEMBERS = st.builds(
    Member,
    id=st.just(MemberId("")),
    wave=st.integers(0, 2),
    state=st.sampled_from(MemberState),
    offered_at=st.none() | st.integers(-9, 9).map(later),
    seen_at=st.none() | st.integers(-9, 9).map(later),
    failures=st.integers(2, 4),
    accepted=st.integers(0, 2),
)


@settings(
    max_examples=min(60, settings().max_examples),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
)
@given(members=st.lists(MEMBERS, max_size=12), since=st.integers(-9, 9).map(later))
def test_a_database_counts_as_the_rules_do(
    transactions: Transactions, members: list[Member], since: datetime
) -> None:
    one = rollout("a", 1)
    named = [
        replace(found, id=member(number).id, accepted=min(found.accepted, found.failures))
        for number, found in enumerate(members, 1)
    ]
    with transactions.writing() as records:
        records.rollouts.remove(one.id)
        records.rollouts.add(one)
        records.rollout_members.put(one.id, named)
        counted = records.rollout_members.count_waves(one.id, since)
        exposed = records.rollout_members.count_exposed(one.id)
    waves = sorted({found.wave for found in named})
    assert counted == [tally_of(wave, named, since) for wave in waves]
    assert exposed == sum(found.is_exposed for found in named)


def test_a_computer_is_given_one_kit(transactions: Transactions) -> None:
    one = KitAssignment(computer_id(1), ItemId(UUID(int=1)), NOW)
    two = KitAssignment(computer_id(2), ItemId(UUID(int=2)), NOW)
    with transactions.writing() as records:
        records.kit_assignments.add(two)
        records.kit_assignments.add(one)
        changed = records.kit_assignments.change(one, one.retried())
        assert changed == replace(one, attempt=1, revision=2)
        with pytest.raises(KitAssignmentChangedError):
            records.kit_assignments.change(one, one)
    with transactions.writing() as records:
        assert records.kit_assignments.all() == [changed, two]
        assert records.kit_assignments.of_item(one.item_id) == [changed]
        assert records.kit_assignments.find(two.computer_id) == two
        records.kit_assignments.remove(two.computer_id)
        records.kit_assignments.remove(two.computer_id)
        assert records.kit_assignments.find(two.computer_id) is None
        with pytest.raises(KitAssignmentChangedError):
            records.kit_assignments.change(two, two)
