"""Stop processes of a farm in their tracks, for others to be seen at work meanwhile."""

import os
import signal
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from threading import Event
from typing import Final

import psycopg

from corral.farm.adapters.sql.postgresql import WRITERS_LOCK
from corral.farm.settings import FarmSettings

_TRIES: Final = 200
_OTHERS_WRITE_SECONDS: Final = 1.0


def freeze(pid: int, farm: Path) -> None:
    """Stop a process where it does not hold the farm's database; one that has ended is left alone.

    It belongs to one writer at a time: one that is stopped in a transaction stops everybody.
    """
    with suppress(ProcessLookupError, FileNotFoundError):
        _freeze(pid, FarmSettings.read(farm, {}))


def _freeze(pid: int, settings: FarmSettings) -> None:
    for _ in range(_TRIES):
        os.kill(pid, signal.SIGSTOP)
        while _state(pid) not in "TZX":
            Event().wait(0.001)
        if _can_be_written(settings):
            return
        os.kill(pid, signal.SIGCONT)
        Event().wait(0.02)
    message = f"process {pid} holds the farm's database whenever it is looked at"
    raise AssertionError(message)


def _state(pid: int) -> str:
    stat = Path(f"/proc/{pid}/stat").read_text()
    return stat.rpartition(")")[2].split()[0]


def _can_be_written(settings: FarmSettings) -> bool:
    file = settings.database_file
    if file is None:
        return _is_writers_lock_free(settings.database_url)
    return not file.exists() or _begins_to_write(file)


def _is_writers_lock_free(url: str) -> bool:
    with psycopg.connect(url) as connection:
        connection.execute(f"SET lock_timeout = '{_OTHERS_WRITE_SECONDS:.0f}s'")
        try:
            connection.execute("SELECT pg_advisory_xact_lock(%s)", [WRITERS_LOCK])
        except psycopg.errors.LockNotAvailable:
            return False
        return True


def _begins_to_write(database: Path) -> bool:
    with closing(
        sqlite3.connect(database, timeout=_OTHERS_WRITE_SECONDS, isolation_level=None)
    ) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        connection.execute("ROLLBACK")
        return True
