"""The scripts that a release prints, run by the databases' own programs beside the older one."""

import subprocess

from tests.compat.conftest import Releases
from tests.compat.shared_farm import SharedFarm
from tests.postgresql import programs_or_skip
from tests.releases import LABELS, NOTES, TAGS, Installed


def printed(farm: SharedFarm, by: Installed, first: str, last: str) -> str:
    """Ask for a script where there is no farm: no database is looked at."""
    dialect = "postgresql" if farm.database else "sqlite"
    words = ("schema", "script", "--from", first, "--to", last, "--dialect", dialect)
    done = by.run(farm.home / "nowhere", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def administer(farm: SharedFarm, script: str) -> subprocess.CompletedProcess[str]:
    command = ["sqlite3", str(farm.folder / "farm.db")]
    if farm.database:
        psql = str(programs_or_skip() / "psql")
        command = [psql, "--no-psqlrc", "--set", "ON_ERROR_STOP=1", farm.database]
    return subprocess.run(
        command, input=script, capture_output=True, text=True, check=False, cwd=farm.home
    )


def test_an_administrator_expands_and_contracts_by_scripts(
    farm: SharedFarm, releases: Releases
) -> None:
    farm.create(releases.old)
    expand = printed(farm, releases.new, NOTES, LABELS)
    contract = printed(farm, releases.new, LABELS, TAGS)
    too_early = administer(farm, contract)
    assert too_early.returncode != 0
    assert "nothing was done" in too_early.stderr
    assert farm.seen().revision == NOTES
    assert administer(farm, expand).returncode == 0
    again = administer(farm, expand)
    assert again.returncode == 0, again.stderr
    assert "nothing to do" in again.stdout + again.stderr
    shown = farm.ask(releases.new, "schema", "show")
    assert (shown["standing"], shown["step"]) == ("serves", LABELS)
    assert farm.ask(releases.new, "schema", "expand")["taken"] == []
    farm.add_device(releases.old)
    farm.add_device(releases.new)
    farm.check(releases.old)
    for _ in "12":
        assert administer(farm, contract).returncode == 0
    assert farm.ask(releases.new, "schema", "show")["pending"] == []
    assert farm.seen().readable_from == LABELS
    assert farm.refusal(releases.old, "device", "list").code == "farm-newer"
    farm.add_device(releases.new)
    assert administer(farm, expand).returncode != 0, "it does not go backwards"
    farm.check(releases.new)
