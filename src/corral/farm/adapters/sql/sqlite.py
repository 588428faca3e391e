"""What SQLite needs of its own."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import create_engine, event

from corral.farm.adapters.sql.options import is_writing

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

# A writer holds the lock for milliseconds; who waits longer than this has met something broken.
_BUSY_MILLISECONDS: Final = 20_000


def open_sqlite(url: str) -> Engine:
    """Open the file of an SQLAlchemy URL."""
    engine = create_engine(url)
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    return engine


def _set_up(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own
    # The driver's own idea of when a transaction begins is switched off; `_begin` says it.
    connection.isolation_level = None
    for pragma in (
        f"busy_timeout = {_BUSY_MILLISECONDS}",
        "synchronous = FULL",  # what was committed survives a power cut
        "foreign_keys = ON",
    ):
        connection.execute(f"PRAGMA {pragma}")
    # Readers go on while somebody writes. The mode is the file's and stays with it. SQLite does not
    # wait for the lock that the change takes: where it is not to be had, another process that opens
    # the new database at this moment is making the same change.
    if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        with suppress(sqlite3.OperationalError):
            connection.execute("PRAGMA journal_mode = WAL")


def _begin(connection: Connection) -> None:
    # A writer takes the lock at once. Taken later, after it has read, the upgrade could only fail:
    # what it read might have changed.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing(connection) else "BEGIN")
