"""Say what devices start from while the farm's database is away."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from corral.farm.adapters.clock import SystemClock
from corral.farm.bootstrap import kept_logins
from corral.farm.domain.errors import DomainError
from corral.farm.entrypoints.cli.output import human_time

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.settings import FarmSettings


def logins_line(settings: FarmSettings) -> str:
    """Say how old this machine's snapshot of logins is, or why there is none to be used."""
    try:
        kept = kept_logins(settings)
    except DomainError as error:
        return f"no snapshot of logins: {error.message}"
    if kept.taken_at is None:
        return f"no snapshot of logins in {settings.folder}: the API keeps one where it runs"
    return snapshot_line(kept.taken_at, kept.device_count, SystemClock().now())


def snapshot_line(taken_at: datetime, devices: int, now: datetime) -> str:
    """Say how old a snapshot is, and for how many devices it has an answer."""
    age = timedelta(seconds=max(0, round((now - taken_at).total_seconds())))
    return (
        f"devices start from the snapshot of logins of {human_time(taken_at)}, {age} old:"
        f" it knows {devices} of them"
    )
