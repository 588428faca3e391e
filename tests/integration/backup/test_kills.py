"""Commands and workers that are killed: a whole backup or none, a whole farm or none."""

import json
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import ON_POSTGRESQL
from tests.integration.farm.command import CommandLine
from tests.integration.tasks.conftest import Workshop, any_workshop, wait_until

if TYPE_CHECKING:
    from tests.postgresql import PostgreSQL

__all__ = ["any_workshop"]

ROWS = 12_000


class BigFarm:
    """A farm whose backup takes long enough to be killed in the middle."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.corral = CommandLine(home / "farm", home / "corral.log")
        self.corral.ask("farm", "create", "big")
        self.key, self.backups = home / "backup.key", home / "backups"
        made = self.corral.ask("backup", "key", str(self.key))
        self.corral.ask(
            "backup", "set", "--to", str(self.backups), "--recipient", made["recipient"]
        )
        with sqlite3.connect(home / "farm" / "farm.db") as database:
            database.executemany(
                "INSERT INTO audit (at, actor_kind, actor_name, actor_where, what, thing)"
                " VALUES ('2026-01-01 00:00:00.000000', 'farm', '', '', 'farm.change', ?)",
                ((f"{row:08}" * 500,) for row in range(ROWS)),
            )
        database.close()

    def whole(self) -> list[Path]:
        return sorted(self.backups.glob("*.corral-backup"))

    def unfinished(self) -> list[Path]:
        return sorted(self.backups.glob(".*"))

    def restore(self, folder: Path, *words: str) -> list[str]:
        (path,) = self.whole()
        return [
            *("backup", "restore", str(path), "--folder", str(folder)),
            *("--key", str(self.key), *words),
        ]


@pytest.fixture
def big(tmp_path: Path) -> BigFarm:
    return BigFarm(tmp_path)


def test_a_killed_backup_leaves_none_and_the_next_one_is_whole(big: BigFarm) -> None:
    with big.corral.started("backup", "create") as process:
        wait_until(
            "bytes are written",
            lambda: (
                process.poll() is not None
                or any(one.stat().st_size > 1 << 20 for one in big.unfinished())
            ),
        )
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert big.whole() == []
    assert len(big.unfinished()) == 1
    assert big.corral.ask("backup", "list")["backups"] == []
    created = big.corral.ask("backup", "create")
    assert big.whole() == [Path(created["path"])]
    assert big.unfinished() == []
    verified = big.corral.ask("backup", "verify", "--key", str(big.key))
    assert verified["rows"]["audit"] >= ROWS


def test_an_interrupted_backup_leaves_nothing_at_all(big: BigFarm) -> None:
    with big.corral.started("backup", "create") as process:
        wait_until(
            "bytes are written",
            lambda: any(one.stat().st_size > 1 << 20 for one in big.unfinished()),
        )
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in said
    assert json.loads(said.splitlines()[-1])["code"] == "cancelled"
    assert (big.whole(), big.unfinished()) == ([], [])


def test_a_killed_verification_leaves_no_keys_once_the_next_has_begun(
    big: BigFarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = big.home / "tmp"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    big.corral.ask("backup", "create")
    words = ("backup", "verify", "--key", str(big.key))
    with big.corral.started(*words) as process:
        wait_until(
            "a key lies there",
            lambda: process.poll() is not None or any(scratch.rglob("farm.key")),
        )
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert any(scratch.rglob("farm.key"))
    assert big.corral.ask(*words)["sound"]
    assert list(scratch.iterdir()) == []


@pytest.fixture(params=["sqlite", ON_POSTGRESQL])
def onto(request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """Where to restore to; the farm itself is on SQLite."""
    if request.param == "sqlite":
        yield []
        return
    server: PostgreSQL = request.getfixturevalue("postgresql")
    yield ["--database", server.new_database()]


def test_a_killed_restore_leaves_no_farm_and_the_next_one_is_whole(
    big: BigFarm, onto: list[str]
) -> None:
    big.corral.ask("backup", "create")
    folder = big.home / "new"
    command = big.restore(folder, *onto)
    staged = big.home / ".new.restoring" / "farm.key"
    with big.corral.started(*command) as process:
        wait_until("it is at work", lambda: process.poll() is not None or staged.exists())
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not folder.exists()
    assert big.corral.run("farm", "show", "--farm", str(folder)).returncode != 0
    done = big.corral.ask(*command)
    assert done["rows"] >= ROWS
    assert not staged.parent.exists()
    shown = CommandLine(folder, big.corral.log).ask("farm", "show")
    assert (shown["name"], shown["database"]) == ("big", done["database"])
    again = big.corral.refusal(*command)
    assert (again.exit_code, again.code) == (1, "restore-target-taken")


def test_a_worker_backs_up_and_rolls_up(any_workshop: Workshop) -> None:
    corral, home = any_workshop.corral, any_workshop.home
    unset = corral.refusal("backup", "create")
    assert unset.code == "backup-unset"
    recipient = corral.ask("backup", "key", str(home / "backup.key"))["recipient"]
    backups = home / "backups"
    corral.ask("backup", "set", "--to", str(backups), "--recipient", recipient, "--daily", "1")
    any_workshop.worker()
    results = []
    for _ in range(2):
        number = corral.ask("task", "start", "backup")["number"]
        results.append(any_workshop.wait_for(number, "done")["result"])
    (left,) = backups.glob("*.corral-backup")
    assert left.name in results[1]
    verified = corral.ask("backup", "verify", str(left), "--key", str(home / "backup.key"))
    assert (verified["sound"], verified["noted"]) == (True, True)
    onto = home / "restored"
    corral.ask(
        *("backup", "restore", str(left), "--folder", str(onto)),
        *("--key", str(home / "backup.key")),
    )
    restored = CommandLine(onto, corral.log)
    states = {one["number"]: one["state"] for one in restored.ask("task", "list", "--all")}
    assert set(states.values()) == {"done"}, "the one that made the backup is done as well"
    schedule = corral.ask("backup", "schedule", "--at", "30 2 * * *")
    assert (schedule["name"], schedule["kind"]) == ("backup", "backup")
