"""What is said of a farm whose database cannot be used."""

from datetime import UTC, datetime, timedelta

from corral.farm.domain.check.database import BlindCheck, StartableDevices, UnusableDatabase
from corral.farm.domain.check.finding import Kind

NOW = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
DATABASE = UnusableDatabase("postgresql://corral@db/farm", "corral", "connection refused")


def said(logins: StartableDevices | None) -> str:
    (only,) = BlindCheck(NOW, DATABASE, logins).findings
    assert only.kind is Kind.DATABASE_UNREACHABLE
    assert only.thing == "database postgresql://corral@db/farm"
    assert only.message.startswith("account 'corral': connection refused. ")
    return only.message.removeprefix("account 'corral': connection refused. ")


def test_without_a_snapshot_nobody_starts() -> None:
    assert said(None).startswith("This machine has no snapshot of logins")


def test_what_the_snapshot_still_allows_is_counted_and_ends() -> None:
    taken = NOW - timedelta(days=2)
    some = StartableDevices(taken, 50, 48, NOW + timedelta(days=5))
    assert said(some) == (
        "The snapshot of logins of 2026-02-27 12:30:00Z lets 48 of the 50 devices that it knows"
        " start meanwhile, the first of them until 2026-03-06 12:30:00Z"
    )
    none = StartableDevices(taken, 50, 0, None)
    assert said(none).endswith("lets 0 of the 50 devices that it knows start meanwhile")
