"""What can be said of a farm whose database cannot be used: that, and what still goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from corral.farm.domain.check.finding import Finding, Kind, NotApplicable

if TYPE_CHECKING:
    from datetime import datetime

NOT_LOOKED_AT: Final = (
    NotApplicable(
        "servers, versions, devices, backups",
        "what the farm knows of them is in its database",
    ),
)


@dataclass(frozen=True)
class UnusableDatabase:
    """The database, as whoever ran the check met it."""

    url: str
    """None that holds a password is ever opened."""
    account: str
    """Whom the database saw, or would have seen."""
    reason: str


@dataclass(frozen=True)
class StartableDevices:
    """What the last snapshot of logins still allows."""

    taken_at: datetime
    known: int
    startable: int
    """Those whose answers have not ended since."""
    first_end_at: datetime | None
    """When the first of these ends; none if there are none."""


@dataclass(frozen=True)
class BlindCheck:
    """A check of the farm that saw nothing of it."""

    at: datetime
    database: UnusableDatabase
    logins: StartableDevices | None
    """None if there is no snapshot of logins on this machine, or none that can be used."""
    not_applicable: tuple[NotApplicable, ...] = NOT_LOOKED_AT

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Give the one that there is."""
        seen = self.database
        told = f"account {seen.account!r}: {seen.reason}. {self._still_allowed()}"
        return (Finding(Kind.DATABASE_UNREACHABLE, f"database {seen.url}", told),)

    def _still_allowed(self) -> str:
        logins = self.logins
        if logins is None:
            return "This machine has no snapshot of logins from which devices could start meanwhile"
        of = f"{logins.startable} of the {logins.known} devices that it knows"
        snapshot = f"The snapshot of logins of {logins.taken_at:%Y-%m-%d %H:%M:%SZ}"
        if logins.first_end_at is None:
            return f"{snapshot} lets {of} start meanwhile"
        end = f"{logins.first_end_at:%Y-%m-%d %H:%M:%SZ}"
        return f"{snapshot} lets {of} start meanwhile, the first of them until {end}"
