"""Rollouts, their machines, and given kits in SQL."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Integer,
    String,
    Table,
    Text,
    Uuid,
    and_,
    case,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy import delete as delete_from

from corral.farm.adapters.sql.edits import named_once, replaced
from corral.farm.adapters.sql.tables import Instant, Name, metadata
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
from corral.farm.domain.rollout.gate import TOLD, Tally
from corral.farm.domain.rollout.health import Baseline
from corral.farm.domain.rollout.member import (
    UNSUCCESSFUL,
    UNTOUCHED,
    Member,
    MemberId,
    MemberState,
)
from corral.farm.domain.rollout.rollout import (
    Given,
    Offering,
    Rollout,
    RolloutId,
    RolloutName,
)
from corral.farm.domain.rollout.state import RolloutState
from corral.farm.domain.rollout.terms import Terms, read_terms, written_terms

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection

    from corral.farm.adapters.sql.rows import AnyRow, Values

rollout = Table(
    "rollout",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Name, nullable=False, unique=True),
    Column("kind", String(16), nullable=False),
    Column("offering", Text, nullable=False),
    Column("digest", String(64), nullable=False),
    # Waves with their gates, and the other limits; they never change.
    Column("terms", Text, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("started_by", String(255), nullable=False),
    Column("state", String(16), nullable=False),
    Column("why", Text, nullable=False),
    Column("changed_at", Instant),
    Column("looked_at", Instant),
    Column("revision", Integer, nullable=False),
)

rollout_member = Table(
    "rollout_member",
    metadata,
    Column("rollout_id", Uuid, ForeignKey("rollout.id"), primary_key=True),
    Column("member", String(80), primary_key=True),
    # No foreign key: what a machine did counts when its computer is gone.
    Column("computer_id", Uuid, nullable=False, index=True),
    Column("wave", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("offered_at", Instant),
    Column("seen_at", Instant),
    Column("attested_at", Instant),
    Column("attested_starts", BigInteger, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("accepted", Integer, nullable=False),
    Column("past_boot_ms", BigInteger),
    Column("past_restarts_a_day", Float),
    Column("past_healthy", Boolean(create_constraint=False)),
    Column("watched_since", Instant),
    Column("watched_starts", BigInteger, nullable=False),
    Column("code", String(64), nullable=False),
    Column("problem", Text, nullable=False),
)

kit_assignment = Table(
    "kit_assignment",
    metadata,
    Column("computer_id", Uuid, primary_key=True),
    Column("item_id", Uuid, nullable=False, index=True),
    Column("assigned_at", Instant, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("revision", Integer, nullable=False),
)

_M: Final = rollout_member.c


class SqlRollouts:
    """A row each."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, of: Rollout) -> None:
        """Add one."""
        with named_once(self._connection, RolloutNameTakenError(of.name)):
            self._connection.execute(insert(rollout).values(_rollout_values(of)))

    def get(self, name: RolloutName) -> Rollout:
        """Give the one of that name."""
        return self._one(rollout.c.name == name, name)

    def with_id(self, rollout_id: RolloutId) -> Rollout:
        """Give the one with that id."""
        return self._one(rollout.c.id == rollout_id, str(rollout_id))

    def all(self) -> Sequence[Rollout]:
        """Give all of them, the first to begin first."""
        return self._select()

    def change(self, seen: Rollout, after: Rollout) -> Rollout:
        """Change the row if its revision is still the one that was seen."""
        changed = replace(after, id=seen.id, revision=seen.revision + 1)
        values = _rollout_values(changed)
        if not replaced(self._connection, rollout, seen.id, seen.revision, values):
            raise RolloutChangedError(seen.name)
        return changed

    def remove(self, rollout_id: RolloutId) -> None:
        """Delete the rows."""
        self._connection.execute(delete_from(rollout_member).where(_M.rollout_id == rollout_id))
        self._connection.execute(delete_from(rollout).where(rollout.c.id == rollout_id))

    def looked_at(self, rollout_id: RolloutId) -> datetime | None:
        """Give when its machines were last compared with those that there are."""
        asked = select(rollout.c.looked_at).where(rollout.c.id == rollout_id)
        found: datetime | None = self._connection.execute(asked).scalar_one_or_none()
        return found

    def set_looked_at(self, rollout_id: RolloutId, now: datetime) -> None:
        """Remember that."""
        self._connection.execute(
            update(rollout).where(rollout.c.id == rollout_id).values(looked_at=now)
        )

    def _one(self, wanted: ColumnElement[bool], name: str) -> Rollout:
        found = self._select(wanted)
        if not found:
            raise RolloutUnknownError(name)
        return found[0]

    def _select(self, *wanted: ColumnElement[bool]) -> list[Rollout]:
        asked = select(rollout).where(*wanted).order_by(rollout.c.started_at, rollout.c.name)
        return [_rollout_from(row) for row in self._connection.execute(asked)]


class SqlRolloutMembers:
    """A row each, counted by the database."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def put(self, rollout_id: RolloutId, members: Iterable[Member]) -> None:
        """Change the rows that there are, and add the others."""
        new: list[Values] = []
        for one in members:
            values = _member_values(rollout_id, one)
            changed = self._connection.execute(
                update(rollout_member)
                .where(_M.rollout_id == rollout_id, _M.member == one.id)
                .values(values)
            )
            if changed.rowcount != 1:
                new.append(values)
        if new:
            self._connection.execute(insert(rollout_member), new)

    def find(self, rollout_id: RolloutId, member_id: MemberId) -> Member | None:
        """Give one, if there is one."""
        found = self._select(_M.rollout_id == rollout_id, _M.member == member_id)
        return found[0][1] if found else None

    def of_rollout(self, rollout_id: RolloutId) -> Sequence[Member]:
        """Give those of a rollout."""
        return [one for _, one in self._select(_M.rollout_id == rollout_id)]

    def of_computer(self, computer_id: ComputerId) -> Mapping[RolloutId, Sequence[Member]]:
        """Give those of a computer, by rollout."""
        found: dict[RolloutId, list[Member]] = {}
        for rollout_id, member in self._select(_M.computer_id == computer_id):
            found.setdefault(rollout_id, []).append(member)
        return found

    def count_waves(self, rollout_id: RolloutId, silent_since: datetime) -> Sequence[Tally]:
        """Group by wave."""
        told = _M.state.in_([one.value for one in TOLD])
        last = func.coalesce(_M.seen_at, _M.offered_at)
        is_silent = and_(last.is_not(None), last < silent_since)
        counted = _M.failures - _M.accepted
        has_failed = counted > 0
        proven = _M.state == MemberState.PROVEN.value
        asked = (
            select(
                _M.wave,
                _count(_M.state == MemberState.WAITING.value).label("waiting"),
                _count(and_(told, or_(last.is_(None), last >= silent_since))).label("pending"),
                _count(and_(told, is_silent)).label("silent"),
                _count(proven).label("proven"),
                _count(_M.state.in_([one.value for one in UNSUCCESSFUL])).label("failed"),
                _count(_M.state == MemberState.RETURNED.value).label("returned"),
                func.sum(counted).label("failures"),
                _count(has_failed).label("failed_machines"),
                _count(or_(proven, has_failed)).label("shown"),
            )
            .where(_M.rollout_id == rollout_id)
            .group_by(_M.wave)
            .order_by(_M.wave)
        )
        return [Tally(**row._mapping) for row in self._connection.execute(asked)]  # noqa: SLF001 - how SQLAlchemy names it

    def count_exposed(self, rollout_id: RolloutId) -> int:
        """Count the rows."""
        untouched = [one.value for one in UNTOUCHED]
        asked = (
            select(func.count())
            .select_from(rollout_member)
            .where(_M.rollout_id == rollout_id, _M.state.not_in(untouched))
        )
        return self._connection.execute(asked).scalar_one()

    def _select(self, *wanted: ColumnElement[bool]) -> list[tuple[RolloutId, Member]]:
        asked = select(rollout_member).where(*wanted).order_by(_M.member)
        return [
            (RolloutId(row.rollout_id), _member_from(row))
            for row in self._connection.execute(asked)
        ]


class SqlKitAssignments:
    """A row each."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, assignment: KitAssignment) -> None:
        """Add one."""
        self._connection.execute(insert(kit_assignment).values(vars(assignment)))

    def find(self, computer_id: ComputerId) -> KitAssignment | None:
        """Give that of a computer, if there is one."""
        found = self._select(kit_assignment.c.computer_id == computer_id)
        return found[0] if found else None

    def of_item(self, item_id: ItemId) -> Sequence[KitAssignment]:
        """Give those of a kit."""
        return self._select(kit_assignment.c.item_id == item_id)

    def all(self) -> Sequence[KitAssignment]:
        """Give all of them."""
        return self._select()

    def change(self, seen: KitAssignment, after: KitAssignment) -> KitAssignment:
        """Change the row if its revision is still the one that was seen."""
        changed = replace(after, computer_id=seen.computer_id, revision=seen.revision + 1)
        done = self._connection.execute(
            update(kit_assignment)
            .where(
                kit_assignment.c.computer_id == seen.computer_id,
                kit_assignment.c.revision == seen.revision,
            )
            .values(vars(changed))
        )
        if done.rowcount != 1:
            raise KitAssignmentChangedError
        return changed

    def remove(self, computer_id: ComputerId) -> None:
        """Delete the row."""
        self._connection.execute(
            delete_from(kit_assignment).where(kit_assignment.c.computer_id == computer_id)
        )

    def _select(self, *wanted: ColumnElement[bool]) -> list[KitAssignment]:
        asked = select(kit_assignment).where(*wanted).order_by(kit_assignment.c.computer_id)
        return [
            KitAssignment(
                ComputerId(row.computer_id),
                ItemId(row.item_id),
                row.assigned_at,
                row.attempt,
                row.revision,
            )
            for row in self._connection.execute(asked)
        ]


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((condition, 1), else_=0))


def _rollout_values(of: Rollout) -> Values:
    return {
        "id": of.id,
        "name": of.name,
        "kind": of.offering.kind.value,
        "offering": of.offering.name,
        "digest": of.offering.digest,
        "terms": written_terms(Terms(of.waves, of.health, of.silent_after)),
        "started_at": of.started_at,
        "started_by": of.started_by,
        "state": of.state.value,
        "why": of.why,
        "changed_at": of.changed_at,
        "revision": of.revision,
    }


def _rollout_from(row: AnyRow) -> Rollout:
    terms = read_terms(row.terms)
    return Rollout(
        id=RolloutId(row.id),
        name=RolloutName(row.name),
        offering=Offering(Given(row.kind), row.offering, Digest(row.digest)),
        waves=terms.waves,
        started_at=row.started_at,
        started_by=row.started_by,
        health=terms.health,
        silent_after=terms.silent_after,
        state=RolloutState(row.state),
        why=row.why,
        changed_at=row.changed_at,
        revision=row.revision,
    )


def _member_values(rollout_id: RolloutId, of: Member) -> Values:
    return {
        "rollout_id": rollout_id,
        "member": of.id,
        "computer_id": UUID(of.id.partition("/")[0]),
        "wave": of.wave,
        "state": of.state.value,
        "attempt": of.attempt,
        "offered_at": of.offered_at,
        "seen_at": of.seen_at,
        "attested_at": of.attested_at,
        "attested_starts": of.attested_starts,
        "failures": of.failures,
        "accepted": of.accepted,
        "past_boot_ms": of.baseline.boot_milliseconds,
        "past_restarts_a_day": of.baseline.restarts_a_day,
        "past_healthy": of.baseline.was_healthy,
        "watched_since": of.watched_since,
        "watched_starts": of.watched_starts,
        "code": of.code,
        "problem": of.problem,
    }


def _member_from(row: AnyRow) -> Member:
    return Member(
        id=MemberId(row.member),
        wave=row.wave,
        state=MemberState(row.state),
        attempt=row.attempt,
        offered_at=row.offered_at,
        seen_at=row.seen_at,
        attested_at=row.attested_at,
        attested_starts=row.attested_starts,
        failures=row.failures,
        accepted=row.accepted,
        baseline=Baseline(row.past_boot_ms, row.past_restarts_a_day, row.past_healthy),
        watched_since=row.watched_since,
        watched_starts=row.watched_starts,
        code=row.code,
        problem=row.problem,
    )
