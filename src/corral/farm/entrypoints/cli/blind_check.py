"""Check a farm whose database cannot be used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from corral.farm.adapters.clock import SystemClock
from corral.farm.bootstrap import database_account, kept_logins
from corral.farm.domain.check.database import BlindCheck, StartableDevices, UnusableDatabase
from corral.farm.domain.errors import DomainError
from corral.farm.domain.estate.errors import (
    FarmDatabaseBusyError,
    FarmDatabaseDeniedError,
    FarmDatabaseError,
    FarmDatabaseLostError,
    FarmDatabaseMissingError,
    FarmDatabaseUnreachableError,
)

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.settings import FarmSettings

UNUSABLE: Final = (
    FarmDatabaseBusyError,
    FarmDatabaseDeniedError,
    FarmDatabaseError,
    FarmDatabaseLostError,
    FarmDatabaseMissingError,
    FarmDatabaseUnreachableError,
)


def blind_check(settings: FarmSettings, error: DomainError) -> BlindCheck:
    """Say why the database cannot be used, by whom, and what devices can do all the same."""
    now = SystemClock().now()
    database = UnusableDatabase(settings.database_url, database_account(settings), error.message)
    return BlindCheck(now, database, _startable(settings, now))


def _startable(settings: FarmSettings, now: datetime) -> StartableDevices | None:
    try:
        kept = kept_logins(settings)
    except DomainError:
        return None
    if kept.taken_at is None:
        return None
    ends = kept.ends(now)
    first = ends[0] if ends else None
    return StartableDevices(kept.taken_at, kept.device_count, len(ends), first)
