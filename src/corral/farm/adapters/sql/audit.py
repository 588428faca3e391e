"""The audit log in SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, String, Table, Text, insert, select

from corral.farm.adapters.sql.tables import Instant, metadata
from corral.farm.domain.access.actor import Actor, ActorKind
from corral.farm.domain.access.audit import Entry, NotedEntry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import ColumnElement, Connection, Row

    from corral.farm.domain.access.audit import AuditFilter

audit = Table(
    "audit",
    metadata,
    # SQLite counts by itself only in a column of exactly this type.
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("at", Instant, nullable=False),
    Column("actor_kind", String(16), nullable=False),
    Column("actor_name", Text, nullable=False),
    Column("actor_where", Text, nullable=False),
    Column("what", String(64), nullable=False),
    Column("thing", Text, nullable=False),
    Column("before", JSON(none_as_null=True)),
    Column("after", JSON(none_as_null=True)),
    Index(None, "at"),
    Index(None, "thing"),
)


class SqlAudit:
    """Rows that triggers keep from being changed."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def note(self, entry: Entry) -> None:
        """Add one."""
        self._connection.execute(
            insert(audit).values(
                at=entry.at,
                actor_kind=entry.actor.kind.value,
                actor_name=entry.actor.name,
                actor_where=entry.actor.where,
                what=entry.what,
                thing=entry.thing,
                before=None if entry.before is None else dict(entry.before),
                after=None if entry.after is None else dict(entry.after),
            )
        )

    def newest(
        self, wanted: AuditFilter, limit: int, before: int | None = None
    ) -> Sequence[NotedEntry]:
        """Go back from the last one."""
        query = select(audit).where(*_conditions(wanted)).order_by(audit.c.number.desc())
        if before is not None:
            query = query.where(audit.c.number < before)
        return [_noted(row) for row in self._connection.execute(query.limit(limit))]


def _conditions(wanted: AuditFilter) -> Iterator[ColumnElement[bool]]:
    if wanted.since is not None:
        yield audit.c.at >= wanted.since
    if wanted.until is not None:
        yield audit.c.at < wanted.until
    if wanted.kind is not None:
        yield audit.c.actor_kind == wanted.kind.value
    if wanted.name is not None:
        yield audit.c.actor_name == wanted.name
    if wanted.where is not None:
        yield audit.c.actor_where == wanted.where
    if wanted.thing is not None:
        yield audit.c.thing == wanted.thing
    if wanted.what is not None:
        yield (audit.c.what == wanted.what) | audit.c.what.startswith(
            f"{wanted.what}.", autoescape=True
        )


def _noted(row: Row[Any]) -> NotedEntry:
    return NotedEntry(
        row.number,
        Entry(
            at=row.at,
            actor=Actor(ActorKind(row.actor_kind), row.actor_name, row.actor_where),
            what=row.what,
            thing=row.thing,
            before=row.before,
            after=row.after,
        ),
    )
