"""Moves and the rules of balance in SQL."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Boolean,
    Column,
    Integer,
    String,
    Table,
    Text,
    Uuid,
    insert,
    select,
    text,
    update,
)
from sqlalchemy import delete as delete_from

from corral.farm.adapters.sql.rows import SINGLETON
from corral.farm.adapters.sql.tables import Instant, metadata
from corral.farm.domain.delivery.device import DeviceId
from corral.farm.domain.delivery.move import OrderedMove, Outcome
from corral.farm.domain.delivery.rebalance import BalanceChangedError, BalanceRules
from corral.farm.domain.estate.server import ServerId

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection

    from corral.farm.adapters.sql.rows import AnyRow

# No foreign keys: what was moved may be removed, and the move is then told no more.
move = Table(
    "move",
    metadata,
    Column("device_id", Uuid, primary_key=True),
    Column("origin_id", Uuid, nullable=False),
    Column("target_id", Uuid, nullable=False),
    Column("why", Text, nullable=False),
    Column("ordered_at", Instant, nullable=False),
    Column("asked_at", Instant),
    Column("ended_at", Instant),
    Column("outcome", String(16)),
)

balance = Table(
    "balance",
    metadata,
    # One row, there as soon as somebody sets the rules or a round was made.
    Column("singleton", Integer, primary_key=True, autoincrement=False),
    Column("is_automatic", Boolean(create_constraint=False), nullable=False),
    Column("every_seconds", Integer, nullable=False),
    Column("over_percent", Integer, nullable=False),
    Column("least_devices", Integer, nullable=False),
    Column("booting_percent", Integer, nullable=False),
    Column("last_round_at", Instant),
    Column("revision", Integer, nullable=False, server_default=text("1")),
)

_MOVES = select(move).order_by(move.c.ordered_at, move.c.device_id)


class SqlMoves:
    """A row for each device that was ever moved."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def find(self, device_id: DeviceId) -> OrderedMove | None:
        """Give the one of that device, if it was ever moved."""
        found = self._select(move.c.device_id == device_id)
        return found[0] if found else None

    def in_progress(self) -> Sequence[OrderedMove]:
        """Give those that have still to be done."""
        return self._select(move.c.outcome.is_(None))

    def of_time_since(self, instant: datetime) -> Sequence[OrderedMove]:
        """Give those that ended at that instant or later."""
        return self._select(move.c.ended_at >= instant)

    def put(self, of: OrderedMove) -> None:
        """Add it, or replace the one of the same device."""
        self._connection.execute(delete_from(move).where(move.c.device_id == of.device_id))
        self._connection.execute(insert(move).values(_values(of)))

    def _select(self, *conditions: ColumnElement[bool]) -> list[OrderedMove]:
        return [_from(row) for row in self._connection.execute(_MOVES.where(*conditions))]


class SqlBalance:
    """One row."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self) -> BalanceRules:
        """Give the rules."""
        row = self._connection.execute(select(balance)).one_or_none()
        if row is None:
            return BalanceRules()
        return BalanceRules(
            is_automatic=row.is_automatic,
            every=timedelta(seconds=row.every_seconds),
            over_percent=row.over_percent,
            least_devices=row.least_devices,
            booting_percent=row.booting_percent,
            revision=row.revision,
        )

    def change(self, seen: BalanceRules, after: BalanceRules) -> None:
        """Replace them if they are still those that were seen."""
        if self.get().revision != seen.revision:
            raise BalanceChangedError
        self._set(replace(after, revision=seen.revision + 1))

    def _set(self, rules: BalanceRules) -> None:
        values = {
            "is_automatic": rules.is_automatic,
            "every_seconds": int(rules.every.total_seconds()),
            "over_percent": rules.over_percent,
            "least_devices": rules.least_devices,
            "booting_percent": rules.booting_percent,
            "revision": rules.revision,
        }
        if self._connection.execute(update(balance).values(values)).rowcount == 0:
            self._connection.execute(insert(balance).values(singleton=SINGLETON, **values))

    def last_round_at(self) -> datetime | None:
        """Give when the last automatic round was."""
        found: datetime | None = self._connection.execute(
            select(balance.c.last_round_at)
        ).scalar_one_or_none()
        return found

    def note_round(self, now: datetime) -> None:
        """Remember that an automatic round was now."""
        if self._connection.execute(update(balance).values(last_round_at=now)).rowcount == 0:
            self._set(BalanceRules())
            self.note_round(now)


def _from(row: AnyRow) -> OrderedMove:
    return OrderedMove(
        device_id=DeviceId(row.device_id),
        origin=ServerId(row.origin_id),
        target=ServerId(row.target_id),
        why=row.why,
        ordered_at=row.ordered_at,
        asked_at=row.asked_at,
        ended_at=row.ended_at,
        outcome=None if row.outcome is None else Outcome(row.outcome),
    )


def _values(of: OrderedMove) -> dict[str, Any]:
    return {
        "device_id": of.device_id,
        "origin_id": of.origin,
        "target_id": of.target,
        "why": of.why,
        "ordered_at": of.ordered_at,
        "asked_at": of.asked_at,
        "ended_at": of.ended_at,
        "outcome": None if of.outcome is None else of.outcome.value,
    }
