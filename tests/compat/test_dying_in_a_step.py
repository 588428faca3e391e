"""Whoever dies while the schema is expanded leaves the old schema, or the new one."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import inspect

from corral.farm.adapters.sql.engine import open_engine
from tests.compat.conftest import Releases
from tests.compat.shared_farm import SECONDS, SharedFarm
from tests.postgresql import PostgreSQL, programs_or_skip
from tests.releases import LABELS, NOTES, Installed

if TYPE_CHECKING:
    from demo.processes import Programs


@contextmanager
def half_way(farm: SharedFarm, release: Installed) -> Iterator[subprocess.Popen[str]]:
    """Have a release expand, and hold it between two statements of its step."""
    pipe = farm.home / "half"
    os.mkfifo(pipe)
    process = subprocess.Popen(
        release.corral("schema", "expand", "--json"),
        env=release.environment(farm.folder, STOP_AT_HALF=str(pipe)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    reached = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)

    def is_there() -> bool:
        assert process.poll() is None, process.communicate()
        with suppress(BlockingIOError):
            return os.read(reached, 9) == b"half"
        return False

    try:
        try:
            farm.wait_for(is_there, "nobody got half-way")
        finally:
            os.close(reached)
        yield process
    finally:
        process.kill()
        process.communicate()


def let_go_on(farm: SharedFarm) -> None:
    def is_heard() -> bool:
        with suppress(OSError):  # it is still on its way to where it waits
            os.close(os.open(farm.home / "half", os.O_WRONLY | os.O_NONBLOCK))
            return True
        return False

    farm.wait_for(is_heard, "nobody waits half-way")


def demand_old(farm: SharedFarm, releases: Releases) -> None:
    """The old schema, whole, on which the old release works."""
    assert farm.seen().revision == NOTES
    engine = open_engine(farm.url)
    seen = inspect(engine)
    assert not seen.has_table("release_mark")
    assert "label" not in {one["name"] for one in seen.get_columns("audit_note")}
    engine.dispose()
    farm.add_device(releases.old)
    farm.check(releases.old)


def expand_after_all(farm: SharedFarm, releases: Releases) -> None:
    assert farm.ask(releases.new, "schema", "expand")["step"] == LABELS
    farm.add_device(releases.new)
    farm.check(releases.old)


def test_a_process_that_is_killed_half_way_has_done_nothing(
    farm: SharedFarm, releases: Releases
) -> None:
    farm.create(releases.old)
    with half_way(farm, releases.new) as process:
        process.kill()
        process.communicate()
        demand_old(farm, releases)
    expand_after_all(farm, releases)


def test_a_second_one_waits_and_finds_it_done(farm: SharedFarm, releases: Releases) -> None:
    farm.create(releases.old)
    with half_way(farm, releases.new) as first:
        second = subprocess.Popen(
            releases.new.corral("schema", "expand", "--json"),
            env=releases.new.environment(farm.folder),
            stdout=subprocess.PIPE,
            text=True,
        )
        let_go_on(farm)
        said = first.communicate(timeout=SECONDS)[0]
        other = second.communicate(timeout=SECONDS)[0]
    assert (first.returncode, second.returncode) == (0, 0)
    taken = [one.count('"half": "expand"') for one in (said, other)]
    assert taken == [1, 0]
    farm.check(releases.old)
    farm.check(releases.new)


@pytest.fixture
def mortal() -> Iterator[PostgreSQL]:
    server = PostgreSQL(programs_or_skip())
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def mortal_farm(mortal: PostgreSQL, tmp_path: Path, programs: "Programs") -> SharedFarm:
    return SharedFarm(tmp_path, mortal.new_database(), programs)


@pytest.mark.postgresql
@pytest.mark.parametrize("how", ["connection", "server"])
def test_a_database_that_goes_away_half_way_has_the_old_schema(
    mortal: PostgreSQL, mortal_farm: SharedFarm, releases: Releases, how: str
) -> None:
    farm = mortal_farm
    farm.create(releases.old)
    with half_way(farm, releases.new) as process:
        if how == "server":
            mortal.kill()
        else:
            with mortal.connection("postgres") as administrator:
                administrator.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state ="
                    " 'idle in transaction'"
                )
        let_go_on(farm)
        _, said = process.communicate(timeout=SECONDS)
        assert process.returncode == 4, said
        assert '"code": "farm-database-lost"' in said
    if how == "server":
        mortal.start()
    demand_old(farm, releases)
    expand_after_all(farm, releases)


@pytest.mark.postgresql
def test_a_table_that_is_in_use_keeps_nobody_else_waiting_for_long(
    mortal: PostgreSQL, mortal_farm: SharedFarm, releases: Releases
) -> None:
    farm = mortal_farm
    farm.create(releases.old)
    name = farm.database.partition("?")[0].rpartition("/")[2]
    with mortal.connection(name) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM audit_note")
        refused = farm.refusal(releases.new, "schema", "expand")
        assert (refused.exit_code, refused.code) == (4, "farm-database-busy")
        demand_old(farm, releases)
    expand_after_all(farm, releases)
