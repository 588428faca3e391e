"""Computers in SQL: who they are, what they said, and what they were told."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    Uuid,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from corral.farm.adapters.sql import seen_rows
from corral.farm.adapters.sql.edits import named_once, replaced
from corral.farm.adapters.sql.rollouts import kit_assignment
from corral.farm.adapters.sql.rows import bandwidth_from, bandwidth_value
from corral.farm.adapters.sql.tables import Instant, Name, metadata
from corral.farm.domain.access.token import TokenDigest
from corral.farm.domain.computer.check_in import (
    EVENTS_KEPT,
    CheckIn,
    ComputerNews,
    GivenOrders,
    Severity,
)
from corral.farm.domain.computer.code import RegistrationCode, RegistrationCodeId
from corral.farm.domain.computer.computer import Computer, ComputerId, ComputerName
from corral.farm.domain.computer.errors import (
    ComputerChangedError,
    ComputerKeyTakenError,
    ComputerNameTakenError,
    ComputerUnknownError,
    RegistrationCodeUnknownError,
)
from corral.farm.domain.computer.state import ComputerState
from corral.farm.domain.computer.user import UserId
from corral.farm.domain.estate.collection import CollectionId
from corral.farm.domain.image.root import RootHash

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import ColumnElement, Connection, Row

computer = Table(
    "computer",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Name, nullable=False, unique=True),
    Column("public_key", LargeBinary(32), nullable=False, unique=True),
    Column("state", String(16), nullable=False),
    Column("asked_at", Instant, nullable=False),
    Column("asked_for", Text, nullable=False),
    Column("collection_id", Uuid, ForeignKey("collection.id"), nullable=False, index=True),
    Column("description", Text, nullable=False),
    Column("is_paused", Boolean(create_constraint=False), nullable=False),
    # None for no limit.
    Column("bandwidth", JSON(none_as_null=True)),
    Column("attempts", JSON, nullable=False),
    Column("registered_at", Instant),
    Column("kill_told_at", Instant),
    Column("killed_at", Instant),
    Column("revision", Integer, nullable=False),
)

computer_user = Table(
    "computer_user",
    metadata,
    Column("computer_id", Uuid, ForeignKey("computer.id"), primary_key=True),
    Column("user_id", Uuid, ForeignKey("person.id"), primary_key=True, index=True),
)

registration_code = Table(
    "registration_code",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("digest", LargeBinary(32), nullable=False, unique=True),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    # No foreign key: a code for a collection that is gone registers nothing.
    Column("collection_id", Uuid, nullable=False),
    Column("user_id", Uuid, ForeignKey("person.id"), index=True),
    Column("uses_left", Integer, nullable=False),
)

computer_check_in = Table(
    "computer_check_in",
    metadata,
    Column("computer_id", Uuid, ForeignKey("computer.id"), primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("at", Instant, nullable=False),
    Column("address", String(64), nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("clock_offset_ms", BigInteger),
    Column("engine", JSON, nullable=False),
    Column("kit", JSON, nullable=False),
    Column("machines", JSON, nullable=False),
)

computer_event = Table(
    "computer_event",
    metadata,
    Column("computer_id", Uuid, ForeignKey("computer.id"), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    Column("severity", String(16), nullable=False),
    Column("code", String(64), nullable=False),
    Column("text", Text, nullable=False),
    Column("image", Text),
)

computer_orders = Table(
    "computer_orders",
    metadata,
    Column("computer_id", Uuid, ForeignKey("computer.id"), primary_key=True),
    Column("generation", BigInteger, nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("given_at", Instant, nullable=False),
    Column("roots", JSON, nullable=False),
)


class SqlComputers:
    """A row each, and one for each of its users."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, of: Computer) -> None:
        """Add one with its users."""
        if self.find(of.name) is not None:
            raise ComputerNameTakenError(of.name)
        try:
            with self._connection.begin_nested():
                self._connection.execute(insert(computer).values(_computer_values(of)))
        except IntegrityError:
            owner = self.with_key(of.public_key)
            if owner is None:
                raise ComputerNameTakenError(of.name) from None
            raise ComputerKeyTakenError(owner.name) from None
        self._add_users(of)

    def get(self, name: ComputerName) -> Computer:
        """Give the one of that name."""
        found = self.find(name)
        if found is None:
            raise ComputerUnknownError(name)
        return found

    def find(self, name: ComputerName) -> Computer | None:
        """Give the one of that name, if there is one."""
        found = self._select(computer.c.name == name)
        return found[0] if found else None

    def with_id(self, computer_id: ComputerId) -> Computer:
        """Give the one with that id."""
        found = self._select(computer.c.id == computer_id)
        if not found:
            raise ComputerUnknownError(str(computer_id))
        return found[0]

    def with_key(self, public_key: bytes) -> Computer | None:
        """Give the one that has that key, if there is one."""
        found = self._select(computer.c.public_key == public_key)
        return found[0] if found else None

    def in_collection(self, collection_id: CollectionId) -> Sequence[Computer]:
        """Give those of a collection."""
        return self._select(computer.c.collection_id == collection_id)

    def of_user(self, user_id: UserId) -> Sequence[Computer]:
        """Give those of a user."""
        theirs = select(computer_user.c.computer_id).where(computer_user.c.user_id == user_id)
        return self._select(computer.c.id.in_(theirs))

    def count_waiting(self) -> int:
        """Give how many wait for approval."""
        query = (
            select(func.count())
            .select_from(computer)
            .where(computer.c.state == ComputerState.WAITING.value)
        )
        return self._connection.execute(query).scalar_one()

    def all(self) -> Sequence[Computer]:
        """Give all of them."""
        return self._select()

    def change(self, seen: Computer, after: Computer) -> Computer:
        """Change the row if its revision is still the one that was seen."""
        changed = replace(after, id=seen.id, public_key=seen.public_key, revision=seen.revision + 1)
        values = _computer_values(changed)
        with named_once(self._connection, ComputerNameTakenError(after.name)):
            done = replaced(self._connection, computer, seen.id, seen.revision, values)
        if not done:
            self.with_id(seen.id)
            raise ComputerChangedError(seen.name)
        if changed.users != seen.users:
            self._connection.execute(
                delete(computer_user).where(computer_user.c.computer_id == seen.id)
            )
            self._add_users(changed)
        return changed

    def remove(self, computer_id: ComputerId) -> None:
        """Delete the row and those that belong to it."""
        owned = (computer_user, computer_check_in, computer_event, computer_orders, kit_assignment)
        for table in owned:
            self._connection.execute(delete(table).where(table.c.computer_id == computer_id))
        self._connection.execute(delete(computer).where(computer.c.id == computer_id))

    def _add_users(self, of: Computer) -> None:
        values = [{"computer_id": of.id, "user_id": user} for user in of.users]
        if values:
            self._connection.execute(insert(computer_user), values)

    def _select(self, *conditions: ColumnElement[bool]) -> list[Computer]:
        query = select(computer).where(*conditions).order_by(computer.c.name)
        rows = self._connection.execute(query).all()
        if not rows:
            return []
        pairs = select(computer_user).join(computer, computer.c.id == computer_user.c.computer_id)
        users: dict[UUID, set[UserId]] = {row.id: set() for row in rows}
        for row in self._connection.execute(pairs.where(*conditions)):
            users[row.computer_id].add(UserId(row.user_id))
        return [_computer(row, frozenset(users[row.id])) for row in rows]


class SqlRegistrationCodes:
    """A row each."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, code: RegistrationCode) -> None:
        """Add one."""
        self._connection.execute(insert(registration_code).values(_code_values(code)))

    def with_id(self, code_id: RegistrationCodeId) -> RegistrationCode:
        """Give the one with that id."""
        found = self._select(registration_code.c.id == code_id)
        if not found:
            raise RegistrationCodeUnknownError(str(code_id))
        return found[0]

    def with_digest(self, digest: TokenDigest) -> RegistrationCode | None:
        """Give the one of that digest."""
        found = self._select(registration_code.c.digest == digest.value)
        return found[0] if found else None

    def all(self) -> Sequence[RegistrationCode]:
        """Give all of them; sorted here, for databases do not agree on the order of ids."""
        return sorted(self._select(), key=lambda code: (code.created_at, code.id.hex))

    def set_uses_left(self, code_id: RegistrationCodeId, uses: int) -> None:
        """Overwrite the number."""
        self._connection.execute(
            update(registration_code)
            .where(registration_code.c.id == code_id)
            .values(uses_left=uses)
        )

    def remove(self, code_id: RegistrationCodeId) -> None:
        """Delete the row."""
        self._connection.execute(delete(registration_code).where(registration_code.c.id == code_id))

    def forget_expired(self, before: datetime) -> None:
        """Delete those that were over before a moment."""
        self._connection.execute(
            delete(registration_code).where(registration_code.c.expires_at < before)
        )

    def _select(self, *conditions: ColumnElement[bool]) -> list[RegistrationCode]:
        query = select(registration_code).where(*conditions)
        return [_code(row) for row in self._connection.execute(query)]


class SqlCheckIns:
    """A row for each computer that ever said anything."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def put(self, check_in: CheckIn) -> None:
        """Overwrite the row, or add it."""
        of, values = check_in.computer_id, _check_in_values(check_in)
        result = self._connection.execute(
            update(computer_check_in).where(computer_check_in.c.computer_id == of).values(values)
        )
        if result.rowcount != 1:
            self._connection.execute(insert(computer_check_in).values(values))

    def find(self, computer_id: ComputerId) -> CheckIn | None:
        """Give what a computer last said."""
        query = select(computer_check_in).where(computer_check_in.c.computer_id == computer_id)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _check_in(row)

    def all(self) -> Sequence[CheckIn]:
        """Give what each last said; sorted here, for databases do not agree on the order of ids."""
        found = [_check_in(row) for row in self._connection.execute(select(computer_check_in))]
        return sorted(found, key=lambda one: one.computer_id.hex)


class SqlComputerEvents:
    """A row each."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def note(self, computer_id: ComputerId, news: Sequence[ComputerNews]) -> None:
        """Add the rows that are not there, and delete the oldest beyond the bound."""
        if not news:
            return
        query = select(computer_event.c.number).where(computer_event.c.computer_id == computer_id)
        known = set(self._connection.execute(query).scalars())
        fresh = {one.number: one for one in news if one.number not in known}
        if fresh:
            values = [_event_values(computer_id, one) for one in fresh.values()]
            self._connection.execute(insert(computer_event), values)
        kept = sorted(known | set(fresh), reverse=True)[:EVENTS_KEPT]
        self._connection.execute(
            delete(computer_event).where(
                computer_event.c.computer_id == computer_id, computer_event.c.number < kept[-1]
            )
        )

    def of_computer(self, computer_id: ComputerId) -> Sequence[ComputerNews]:
        """Give those of a computer."""
        query = (
            select(computer_event)
            .where(computer_event.c.computer_id == computer_id)
            .order_by(computer_event.c.number.desc())
        )
        return [_event(row) for row in self._connection.execute(query)]


class SqlComputerOrders:
    """A row for each computer that was ever told anything."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def put(self, given: GivenOrders) -> None:
        """Overwrite the row, or add it."""
        values = {
            "computer_id": given.computer_id,
            "generation": given.generation,
            "digest": given.digest,
            "changed_at": given.changed_at,
            "given_at": given.given_at,
            "roots": sorted(root.hex for root in given.roots),
        }
        result = self._connection.execute(
            update(computer_orders)
            .where(computer_orders.c.computer_id == given.computer_id)
            .values(values)
        )
        if result.rowcount != 1:
            self._connection.execute(insert(computer_orders).values(values))

    def find(self, computer_id: ComputerId) -> GivenOrders | None:
        """Give what a computer was last told."""
        query = select(computer_orders).where(computer_orders.c.computer_id == computer_id)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _given(row)

    def all(self) -> Sequence[GivenOrders]:
        """Give what each was last told; sorted here as above."""
        found = [_given(row) for row in self._connection.execute(select(computer_orders))]
        return sorted(found, key=lambda one: one.computer_id.hex)


def _computer(row: Row[Any], users: frozenset[UserId]) -> Computer:
    return Computer(
        id=ComputerId(row.id),
        name=ComputerName(row.name),
        public_key=row.public_key,
        state=ComputerState(row.state),
        asked_at=row.asked_at,
        asked_for=row.asked_for,
        collection_id=CollectionId(row.collection_id),
        users=users,
        description=row.description,
        is_paused=row.is_paused,
        bandwidth=bandwidth_from(row.bandwidth),
        attempts=seen_rows.attempts(row.attempts),
        registered_at=row.registered_at,
        kill_told_at=row.kill_told_at,
        killed_at=row.killed_at,
        revision=row.revision,
    )


def _computer_values(of: Computer) -> dict[str, Any]:
    return {
        "id": of.id,
        "name": of.name,
        "public_key": of.public_key,
        "state": of.state.value,
        "asked_at": of.asked_at,
        "asked_for": of.asked_for,
        "collection_id": of.collection_id,
        "description": of.description,
        "is_paused": of.is_paused,
        "bandwidth": bandwidth_value(of.bandwidth),
        "attempts": seen_rows.attempts_value(of.attempts),
        "registered_at": of.registered_at,
        "kill_told_at": of.kill_told_at,
        "killed_at": of.killed_at,
        "revision": of.revision,
    }


def _code(row: Row[Any]) -> RegistrationCode:
    return RegistrationCode(
        id=RegistrationCodeId(row.id),
        digest=TokenDigest(row.digest),
        created_at=row.created_at,
        expires_at=row.expires_at,
        collection_id=CollectionId(row.collection_id),
        user_id=None if row.user_id is None else UserId(row.user_id),
        uses_left=row.uses_left,
    )


def _code_values(of: RegistrationCode) -> dict[str, Any]:
    return {
        "id": of.id,
        "digest": of.digest.value,
        "created_at": of.created_at,
        "expires_at": of.expires_at,
        "collection_id": of.collection_id,
        "user_id": of.user_id,
        "uses_left": of.uses_left,
    }


def _check_in(row: Row[Any]) -> CheckIn:
    return CheckIn(
        computer_id=ComputerId(row.computer_id),
        sequence=row.sequence,
        at=row.at,
        engine=seen_rows.engine(row.engine),
        kit=seen_rows.kit(row.kit),
        machines=tuple(map(seen_rows.machine, row.machines)),
        epoch=row.epoch,
        generation=row.generation,
        clock_offset_ms=row.clock_offset_ms,
        address=row.address,
    )


def _check_in_values(of: CheckIn) -> dict[str, Any]:
    return {
        "computer_id": of.computer_id,
        "sequence": of.sequence,
        "at": of.at,
        "address": of.address,
        "epoch": of.epoch,
        "generation": of.generation,
        "clock_offset_ms": of.clock_offset_ms,
        "engine": seen_rows.engine_value(of.engine),
        "kit": seen_rows.kit_value(of.kit),
        "machines": [seen_rows.machine_value(one) for one in of.machines],
    }


def _event(row: Row[Any]) -> ComputerNews:
    return ComputerNews(
        number=row.number,
        at=row.at,
        severity=Severity(row.severity),
        code=row.code,
        text=row.text,
        image=row.image,
    )


def _event_values(computer_id: ComputerId, of: ComputerNews) -> dict[str, Any]:
    return {
        "computer_id": computer_id,
        "number": of.number,
        "at": of.at,
        "severity": of.severity.value,
        "code": of.code,
        "text": of.text,
        "image": of.image,
    }


def _given(row: Row[Any]) -> GivenOrders:
    return GivenOrders(
        computer_id=ComputerId(row.computer_id),
        generation=row.generation,
        digest=row.digest,
        changed_at=row.changed_at,
        given_at=row.given_at,
        roots=frozenset(map(RootHash, row.roots)),
    )
