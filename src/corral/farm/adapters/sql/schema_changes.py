"""The schema of a database, looked at and changed by whoever was asked to."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from corral.farm.adapters.sql import schema
from corral.farm.adapters.sql.audit import SqlAudit
from corral.farm.adapters.sql.engine import open_engine
from corral.farm.adapters.sql.failures import translated
from corral.farm.adapters.sql.options import WRITING
from corral.farm.application.ports.schema import Change

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection

    from corral.farm.application.ports.schema import Choose
    from corral.farm.domain.access.audit import Entry
    from corral.farm.domain.upgrade.schema import ReleaseSchema, SeenSchema

# A table is changed when nobody reads it. Whoever comes meanwhile waits behind the change, so that
# it gives up early, with nothing done, rather than have the farm stand still behind a long reader.
_PATIENCE: Final = "SET LOCAL lock_timeout = '3s'"


class SqlDatabaseSchema:
    """That of the database of a URL."""

    def __init__(self, url: str) -> None:
        self._url = url

    @property
    def own(self) -> ReleaseSchema:
        """From the migrations that this release has."""
        return schema.OWN

    @property
    def is_embedded(self) -> bool:
        """SQLite."""
        return self._url.startswith("sqlite:")

    def look(self) -> SeenSchema:
        """In a transaction of its own."""
        with self._connected() as connection:
            seen = schema.look(connection)
            connection.rollback()
            return seen

    def change(self, choose: Choose, note: Callable[[SeenSchema, SeenSchema], Entry]) -> Change:
        """Under the writers' lock: of two at once, the second finds it done."""
        with self._connected() as connection:
            begun = connection.execution_options(**{WRITING: True})
            with begun.begin():
                before = schema.look(begun)
                chosen = choose(before)
                if chosen == Change():
                    return chosen
                if begun.dialect.name == "postgresql":
                    begun.exec_driver_sql(_PATIENCE)
                if chosen.steps:
                    schema.upgrade(begun, chosen.steps[-1].revision, may_contract=True)
                if chosen.oldest_console is not None:
                    begun.execute(
                        text("UPDATE schema_gate SET oldest_console = :it WHERE singleton = 1"),
                        {"it": chosen.oldest_console},
                    )
                # Half-way between two releases nobody knows what the log looks like.
                if schema.is_ready(begun):
                    SqlAudit(begun).note(note(before, schema.look(begun)))
        return chosen

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        engine = open_engine(self._url)
        try:
            with translated(), engine.connect() as connection:
                yield connection
        finally:
            engine.dispose()
