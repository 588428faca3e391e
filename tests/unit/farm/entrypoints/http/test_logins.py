"""The snapshot of logins in an API process."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from tests.farm_in_memory import FarmInMemory, disk

from corral.farm.adapters.farm_folder.login_snapshot import KeptLogins
from corral.farm.domain.estate.errors import FarmDatabaseUnreachableError
from corral.farm.entrypoints.http.logins import Logins


@dataclass
class Stopwatch:
    """A clock that goes when it is told to."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def stopwatch() -> Stopwatch:
    return Stopwatch()


def logins_of(farm: FarmInMemory, path: Path, stopwatch: Stopwatch) -> Logins:
    shown = farm.application.show_farm().farm
    return Logins(
        take=farm.application.take_login_snapshot,
        show_farm=farm.application.show_farm,
        key=farm.ports.farm_key,
        kept=KeptLogins(path, shown.public_key),
        farm=shown,
        clock=farm.ports.clock,
        monotonic=stopwatch,
    )


@pytest.fixture
def ready(farm: FarmInMemory) -> FarmInMemory:
    """One server that holds a version, and a device that starts it."""
    server = farm.add_server("s1")
    version = farm.import_disk("debian", disk(1)).version
    farm.report(server, holds=(version,))
    farm.add_device("pc1", "debian")
    return farm


def test_snapshot_stands_until_the_farm_changes_or_it_grows_old(
    ready: FarmInMemory, tmp_path: Path, stopwatch: Stopwatch
) -> None:
    logins = logins_of(ready, tmp_path / "logins.json", stopwatch)
    first = logins.current()
    assert logins.current() is first
    ready.add_device("pc2", "debian")
    ready.import_disk("debian", disk(2))
    second = logins.current()
    assert second.tag != first.tag
    assert logins.current() is second
    stopwatch.now += 3600
    assert logins.current() is not second


def test_disk_that_takes_no_file_costs_the_file_and_not_the_snapshot(
    ready: FarmInMemory, tmp_path: Path, stopwatch: Stopwatch
) -> None:
    (tmp_path / "file").touch()
    logins = logins_of(ready, tmp_path / "file" / "logins.json", stopwatch)
    assert logins.current() is logins.current()
    assert logins.kept.device_count == 1


def test_database_is_away_from_the_first_that_finds_nobody_until_one_is_answered(
    ready: FarmInMemory, tmp_path: Path, stopwatch: Stopwatch
) -> None:
    logins = logins_of(ready, tmp_path / "logins.json", stopwatch)
    logins.current()
    taken_at = ready.ports.clock.now()
    reason = "nobody answers"
    with pytest.raises(FarmDatabaseUnreachableError), logins.watching():
        raise FarmDatabaseUnreachableError(reason)
    assert logins.is_database_away
    said = logins.health("1")
    assert said.is_database_away
    assert said.logins_age_seconds == 0
    ready.ports.clock.advance(timedelta(minutes=3))
    assert logins.health("1").logins_age_seconds == 180
    assert said.logins_taken_at == int(taken_at.timestamp())
    with logins.watching():
        pass
    assert not logins.is_database_away
