"""How often stores are read, and when that is too long ago."""

from datetime import UTC, datetime, timedelta

import pytest

from corral.farm.domain.estate.scrub import (
    MODEST,
    ScrubIntervalInvalidError,
    ScrubPass,
    ScrubPolicy,
    SeenScrub,
    interval_of_seconds,
    overdue,
    scrub_interval,
)

NOW = datetime(2026, 11, 21, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=400)


@pytest.mark.parametrize(
    ("text", "every"),
    [
        ("14d", timedelta(days=14)),
        ("12h", timedelta(hours=12)),
        ("1m", timedelta(minutes=1)),
        ("365d", timedelta(days=365)),
    ],
)
def test_an_interval_is_read(text: str, every: timedelta) -> None:
    assert scrub_interval(text) == every
    assert interval_of_seconds(int(every.total_seconds())) == every


@pytest.mark.parametrize(
    "text", ["", "0d", "14", "d", "-1d", "366d", "1.5d", "14 d", "60s", "9" * 9]
)
def test_an_interval_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ScrubIntervalInvalidError, match="such as 14d"):
        scrub_interval(text)


@pytest.mark.parametrize("seconds", [0, 59, 365 * 86_400 + 1, -60])
def test_seconds_that_are_no_interval_are_refused(seconds: int) -> None:
    with pytest.raises(ScrubIntervalInvalidError):
        interval_of_seconds(seconds)


def ended(at: datetime) -> SeenScrub:
    return SeenScrub(last=ScrubPass(at - timedelta(hours=1), at, 10, 10, 0, 0))


def test_a_new_server_has_twice_the_interval_for_its_first_pass() -> None:
    assert overdue(MODEST, None, NOW - timedelta(days=28), NOW) == ""
    said = overdue(MODEST, None, NOW - timedelta(days=29), NOW)
    assert said == "it has not read all of its store in the 29 days since it was added"
    assert overdue(MODEST, SeenScrub(), NOW - timedelta(days=29), NOW) == said


def test_a_pass_that_ended_too_long_ago_is_told() -> None:
    assert overdue(MODEST, ended(NOW - timedelta(days=28)), LONG_AGO, NOW) == ""
    assert "for 30 days" in overdue(MODEST, ended(NOW - timedelta(days=30)), LONG_AGO, NOW)


def test_that_the_scrub_is_off_is_told_with_it() -> None:
    off = ScrubPolicy(rate=0)
    assert off.is_off
    assert "scrub is off" in overdue(off, None, LONG_AGO, NOW)
    assert overdue(off, ended(NOW), LONG_AGO, NOW) == ""


def test_a_pass_knows_how_far_it_is() -> None:
    assert ScrubPass(NOW, None, 200, 50, 0, 0).percent == 25
    assert ScrubPass(NOW, None, 200, 900, 0, 0).percent == 99
    assert ScrubPass(NOW, None, 0, 0, 0, 0).percent == 0
    assert ScrubPass(NOW, NOW, 200, 150, 0, 0).percent == 100
