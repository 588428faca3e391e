"""What a roll-up keeps."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corral.farm.domain.backup.backup import Backup, BackupId, BackupRules, Retention
from corral.farm.domain.backup.errors import BackupFolderInvalidError, RetentionInvalidError
from corral.farm.domain.backup.retention import kept

START = datetime(2026, 1, 1, 2, 30, tzinfo=UTC)


def backup(number: int, taken_at: datetime, *, verified: bool = False) -> Backup:
    return Backup(
        id=BackupId(UUID(int=number)),
        path=Path(f"/backups/{number}"),
        taken_at=taken_at,
        size_bytes=1,
        release="1",
        schema="0001",
        by="farm",
        verified_at=taken_at if verified else None,
    )


def nightly(nights: int) -> list[Backup]:
    return [backup(night, START + timedelta(days=night)) for night in range(nights)]


moments = st.integers(0, 800 * 24).map(lambda hours: START + timedelta(hours=hours))
histories = st.lists(st.tuples(moments, st.booleans()), max_size=60).map(
    lambda many: [backup(i, at, verified=verified) for i, (at, verified) in enumerate(many)]
)
rules = st.builds(Retention, st.integers(1, 10), st.integers(0, 6), st.integers(0, 14))


def test_a_year_of_nights_is_seven_days_four_weeks_and_twelve_months() -> None:
    left = [one for one in nightly(365) if one.id in kept(nightly(365), Retention())]
    assert [one.taken_at.date().isoformat() for one in reversed(left)] == [
        *(f"2026-12-{day}" for day in range(31, 24, -1)),
        "2026-12-20",
        "2026-12-13",
        "2026-11-30",
        "2026-10-31",
        "2026-09-30",
        "2026-08-31",
        "2026-07-31",
        "2026-06-30",
        "2026-05-31",
        "2026-04-30",
        "2026-03-31",
        "2026-02-28",
        "2026-01-31",
    ]


def test_a_farm_that_was_off_for_a_year_keeps_what_it_had() -> None:
    old = nightly(3)
    assert kept([*old, backup(9, START + timedelta(days=400))], Retention(4, 0, 0)) == {
        *(one.id for one in old),
        BackupId(UUID(int=9)),
    }


@given(histories, rules)
def test_the_newest_and_the_newest_verified_one_always_stay(
    history: list[Backup], retention: Retention
) -> None:
    keep = kept(history, retention)
    order = sorted(history, key=lambda one: (one.taken_at, one.id))
    assert all(one.id in keep for one in order[-1:])
    assert all(one.id in keep for one in [b for b in order if b.verified_at is not None][-1:])
    assert keep <= {one.id for one in history}


@given(histories, rules)
def test_no_more_are_kept_than_the_rule_says(history: list[Backup], retention: Retention) -> None:
    most = retention.daily + retention.weekly + retention.monthly + 2
    assert len(kept(history, retention)) <= most


@given(histories, rules)
def test_a_roll_up_of_what_a_roll_up_left_takes_nothing(
    history: list[Backup], retention: Retention
) -> None:
    keep = kept(history, retention)
    left = [one for one in history if one.id in keep]
    assert kept(left, retention) == keep


@given(histories, rules)
def test_each_of_the_last_days_with_a_backup_keeps_its_newest(
    history: list[Backup], retention: Retention
) -> None:
    keep = kept(history, retention)
    days = sorted({one.taken_at.date() for one in history}, reverse=True)
    for day in days[: retention.daily]:
        of_day = [one for one in history if one.taken_at.date() == day]
        assert max(of_day, key=lambda one: (one.taken_at, one.id)).id in keep


@pytest.mark.parametrize(("daily", "weekly", "monthly"), [(0, 0, 0), (1, -1, 0), (1, 0, 1001)])
def test_a_retention_out_of_range_is_refused(daily: int, weekly: int, monthly: int) -> None:
    with pytest.raises(RetentionInvalidError):
        Retention(daily, weekly, monthly)


def test_backups_go_to_an_absolute_path_and_warnings_take_a_day_at_least() -> None:
    with pytest.raises(BackupFolderInvalidError):
        BackupRules(folder=Path("backups"))
    with pytest.raises(RetentionInvalidError):
        replace(BackupRules(), too_old_days=0)
