"""What PostgreSQL needs of its own.

The URL goes to ``libpq`` as it is, so that everything it knows is there: several hosts, service
files, ``~/.pgpass``, TLS. Only a password is refused in it, because URLs are kept and shown.
"""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import psycopg
from psycopg import IsolationLevel
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import create_engine, event

from corral.farm.adapters.sql.options import is_writing
from corral.farm.domain.estate.errors import (
    DatabaseUrlInvalidError,
    FarmDatabaseDeniedError,
    FarmDatabaseMissingError,
    FarmDatabaseUnreachableError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Connection, Engine

    from corral.farm.domain.errors import DomainError

    RawConnection: TypeAlias = psycopg.Connection[Any]

_SCHEMES: Final = ("postgresql://", "postgres://")
_SECRETS: Final = ("password", "sslpassword")

# Used where the URL says nothing else. A server that lost its power says nothing, so that only
# these find out. A standby cannot keep what a farm writes.
_DEFAULTS: Final[Mapping[str, str]] = {
    "target_session_attrs": "read-write",
    "connect_timeout": "3",
    "tcp_user_timeout": "20000",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "application_name": "corral",
}

# A database that changes over to its standby is away for seconds: five tries.
_DELAYS_SECONDS: Final = (0.2, 0.5, 1.0, 2.0)

# A writer holds the lock for milliseconds; who waits longer than this has met something broken.
# The last two keep a process that hangs, or whose machine is gone, from holding it for ever.
_SESSION: Final = """
SET lock_timeout = '20s';
SET statement_timeout = '30s';
SET idle_in_transaction_session_timeout = '60s';
SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3
"""

# The requests that the API answers at a time, each in a thread of its own.
_KEPT_CONNECTIONS: Final = 5
_MORE_CONNECTIONS: Final = 35

WRITERS_LOCK: Final = int.from_bytes(b"corral", "big")

_DENIED: Final = (
    "authentication failed",
    "no password supplied",
    "pg_hba.conf",
    "role ",
    "permission denied",
)


def open_postgresql(url: str) -> Engine:
    """Open a database by the URL that ``libpq`` defines; raises ``DatabaseUrlInvalidError``."""
    engine = create_engine(
        "postgresql+psycopg://",
        creator=Connector(url),
        pool_pre_ping=True,
        pool_size=_KEPT_CONNECTIONS,
        max_overflow=_MORE_CONNECTIONS,
    )
    event.listen(engine, "begin", _begin)
    return engine


def is_postgresql(url: str) -> bool:
    """Whether a URL is of a database like this."""
    return url.startswith(_SCHEMES)


def open_plainly(url: str) -> Engine:
    """Open the same database for a library that begins its transactions in its own way."""
    return create_engine(
        "postgresql+psycopg://",
        creator=Connector(url),
        pool_pre_ping=True,
        pool_size=_KEPT_CONNECTIONS,
        max_overflow=_MORE_CONNECTIONS,
    )


class Connector:
    """Makes connections, and tries again for some seconds where nobody answers."""

    def __init__(
        self,
        url: str,
        delays_seconds: Sequence[float] = _DELAYS_SECONDS,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        given = _parameters(url)
        self._url = url
        self._more = {name: value for name, value in _DEFAULTS.items() if name not in given}
        self._delays_seconds = delays_seconds
        self._pause = pause or Event().wait

    def __call__(self) -> RawConnection:
        """Give a new connection.

        Raises ``FarmDatabaseUnreachableError`` after the last try, ``FarmDatabaseDeniedError`` and
        ``FarmDatabaseMissingError`` at once: waiting would not help.
        """
        for delay in self._delays_seconds:
            try:
                return self._connect()
            except FarmDatabaseUnreachableError:
                self._pause(delay)
        return self._connect()

    def _connect(self) -> RawConnection:
        try:
            connection = psycopg.connect(self._url, autocommit=True, **self._more)  # type: ignore[arg-type]
            try:
                connection.execute(_SESSION)
                connection.autocommit = False
            except psycopg.Error:
                connection.close()
                raise
        except psycopg.Error as error:
            raise _explained(str(error)) from error
        return connection


def _begin(connection: Connection) -> None:
    """Give readers one moment, and writers the lock that lets them come one after the other.

    A writer's every statement sees what the writers before it committed, as its first one waits for
    them. The database drops the lock with the transaction, however that ends.
    """
    raw: Any = connection.connection.dbapi_connection
    if is_writing(connection):
        raw.isolation_level = IsolationLevel.READ_COMMITTED
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITERS_LOCK})")
    else:
        raw.isolation_level = IsolationLevel.REPEATABLE_READ


def _parameters(url: str) -> Mapping[str, Any]:
    # What libpq says of a broken URL may quote a password, so that it is not repeated.
    if not is_postgresql(url):
        raise DatabaseUrlInvalidError.because_unreadable()
    try:
        given = conninfo_to_dict(url)
    except psycopg.Error:
        raise DatabaseUrlInvalidError.because_unreadable() from None
    if any(name in given for name in _SECRETS):
        raise DatabaseUrlInvalidError.because_secret()
    return given


def _explained(said: str) -> DomainError:
    """Tell a refusal from silence. ``libpq`` gives no code before there is a connection."""
    # Several hosts: one line for each of them, below a heading.
    lines = [line.strip() for line in said.splitlines() if line.startswith("- host: ")]
    reason = "; ".join(
        dict.fromkeys(line.partition("connection failed: ")[2] or line for line in lines)
    )
    reason = reason or said.strip().partition("\n")[0].removeprefix("connection failed: ")
    if any(word in said for word in _DENIED):
        return FarmDatabaseDeniedError(reason)
    if 'database "' in said and "does not exist" in said:
        return FarmDatabaseMissingError(reason)
    return FarmDatabaseUnreachableError(reason or "no answer")
