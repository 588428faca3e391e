"""Which database a URL means; what each needs of its own is in ``sqlite`` and ``postgresql``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine


def open_engine(url: str) -> Engine:
    """Open ``sqlite:///PATH``, or what ``libpq`` understands as ``postgresql://…``.

    Nothing is connected yet; raises ``DatabaseUrlInvalidError``.
    """
    # Only the one that is used is loaded: a command should start at once.
    if url.startswith("sqlite:"):
        from corral.farm.adapters.sql.sqlite import open_sqlite  # noqa: PLC0415

        return open_sqlite(url)
    from corral.farm.adapters.sql.postgresql import open_postgresql  # noqa: PLC0415

    return open_postgresql(url)


def wait_for_nobody(connection: Connection) -> None:
    """Have a lock that is taken refuse this transaction at once; the connection goes with it."""
    match connection.dialect.name:
        case "postgresql":
            connection.exec_driver_sql("SET LOCAL lock_timeout = '1ms'")
        case _:
            connection.exec_driver_sql("PRAGMA busy_timeout = 0")
            connection.detach()


def lift_limits(connection: Connection) -> None:
    """Let the statements of this transaction take the time that they need."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
