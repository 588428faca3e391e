"""The rules for tasks in SQL."""

from __future__ import annotations

from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING

from sqlalchemy import JSON, Column, Integer, Table, delete, insert, select

from corral.farm.adapters.sql.rows import SINGLETON
from corral.farm.adapters.sql.tables import metadata
from corral.farm.domain.task.limits import Limits
from corral.farm.domain.task.rules import KEPT_FOR, TaskRules, TaskRulesChangedError
from corral.farm.domain.task.task import TaskKind

if TYPE_CHECKING:
    from sqlalchemy import Connection

task_rules = Table(
    "task_rules",
    metadata,
    # One row, there as soon as somebody sets a rule.
    Column("singleton", Integer, primary_key=True, autoincrement=False),
    # None, or a kind that is not named: the usual number of the release that reads it.
    Column("of_kind", JSON, nullable=False),
    Column("of_server", Integer),
    Column("of_kind_on_server", Integer),
    Column("of_farm", Integer),
    Column("kept_days", Integer),
    Column("revision", Integer, nullable=False),
)


class SqlTaskRules:
    """One row with what differs from the usual."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self) -> TaskRules:
        """Give them."""
        row = self._connection.execute(select(task_rules)).one_or_none()
        if row is None:
            return TaskRules()
        usual = Limits()
        # Of a kind that a newer release knows, this one says nothing.
        said = {kind: row.of_kind[kind.value] for kind in TaskKind if kind.value in row.of_kind}
        return TaskRules(
            limits=Limits(
                of_kind=MappingProxyType({**usual.of_kind, **said}),
                of_server=row.of_server or usual.of_server,
                of_kind_on_server=row.of_kind_on_server or usual.of_kind_on_server,
                of_farm=row.of_farm or usual.of_farm,
            ),
            kept_for=KEPT_FOR if row.kept_days is None else timedelta(days=row.kept_days),
            revision=row.revision,
        )

    def change(self, seen: TaskRules, after: TaskRules) -> None:
        """Replace them if they are still those that were seen."""
        if self.get().revision != seen.revision:
            raise TaskRulesChangedError
        usual, wanted = Limits(), after.limits
        of_kind = {
            kind.value: number
            for kind, number in wanted.of_kind.items()
            if number != usual.of_kind[kind]
        }
        self._connection.execute(delete(task_rules))
        self._connection.execute(
            insert(task_rules).values(
                singleton=SINGLETON,
                of_kind=of_kind,
                of_server=_unusual(wanted.of_server, usual.of_server),
                of_kind_on_server=_unusual(wanted.of_kind_on_server, usual.of_kind_on_server),
                of_farm=_unusual(wanted.of_farm, usual.of_farm),
                kept_days=_unusual(after.kept_for.days, KEPT_FOR.days),
                revision=seen.revision + 1,
            )
        )


def _unusual(wanted: int, usual: int) -> int | None:
    return None if wanted == usual else wanted
