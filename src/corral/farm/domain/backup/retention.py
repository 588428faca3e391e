"""Which backups a roll-up keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable
    from datetime import datetime

    from corral.farm.domain.backup.backup import Backup, BackupId, Retention


def kept(backups: Iterable[Backup], retention: Retention) -> frozenset[BackupId]:
    """Give those to keep; the others may go.

    The newest of each day, week and month counts, for as many of these as the rule says and as
    there are backups of: a farm that was off for a month keeps what it had. Days and weeks are
    those of UTC, and a week begins on Monday. The newest backup and the newest that was verified
    are always kept.
    """
    newest_first = sorted(backups, key=lambda one: (one.taken_at, one.id), reverse=True)
    found: set[BackupId] = set()
    for most, period in (
        (retention.daily, _day),
        (retention.weekly, _week),
        (retention.monthly, _month),
    ):
        found |= _newest_of_each(newest_first, most, period)
    found.update(one.id for one in newest_first[:1])
    found.update(one.id for one in [b for b in newest_first if b.verified_at is not None][:1])
    return frozenset(found)


def _newest_of_each(
    newest_first: Iterable[Backup], most: int, period: Callable[[datetime], Hashable]
) -> set[BackupId]:
    found: dict[Hashable, BackupId] = {}
    for one in newest_first:
        found.setdefault(period(one.taken_at), one.id)
    # A dictionary remembers the order in which its keys came.
    return set(list(found.values())[:most])


def _day(at: datetime) -> Hashable:
    return at.date()


def _week(at: datetime) -> Hashable:
    return at.isocalendar()[:2]


def _month(at: datetime) -> Hashable:
    return at.year, at.month
