"""Users and computers at the command line, over a farm in memory."""

import pytest
from tests.farm_in_memory import FarmInMemory, disk
from tests.unit.farm.application.computing import Laptop
from tests.unit.farm.entrypoints.cli.conftest import CommandLine

from corral.farm.domain.computer.check_in import MachineState
from corral.farm.domain.computer.why import Why
from corral.farm.entrypoints.cli.whys import SAID


@pytest.fixture
def laptop(farm: FarmInMemory) -> Laptop:
    """Give the computer of rboston, who has the image debian, of which s1 has version 1."""
    server = farm.add_server("s1")
    version = farm.import_disk("debian", disk(1, 2, 3)).version
    farm.replicate(version, server)
    laptop = Laptop(farm)
    laptop.register("rboston", "Roger Boston")
    laptop.assign("debian")
    return laptop


def test_users_and_groups_are_kept_as_they_were_said(corral: CommandLine) -> None:
    assert corral("user", "add", "rboston", "--full-name", "Roger Boston").code == 0
    assert corral("user", "add", "bsmith").code == 0
    assert corral("user-group", "add", "sales", "--member", "bsmith").code == 0
    assert corral("user-group", "change", "sales", "--add", "rboston").code == 0
    listed = corral("user", "list", "--filter", "group=sales", "--sort", "-name", "--json").json
    assert [(one["name"], one["full_name"], one["groups"]) for one in listed] == [
        ("rboston", "Roger Boston", ["sales"]),
        ("bsmith", "", ["sales"]),
    ]
    assert corral("user", "change", "bsmith", "--full-name", "B. Smith").code == 0
    assert "B. Smith" in corral("user", "show", "bsmith").out
    stale = corral("user", "change", "bsmith", "--full-name", "x", "--revision", "1")
    assert (stale.code, "user-changed" in stale.err) == (4, True)
    assert corral("user", "remove", "bsmith").code == 0
    assert corral("user-group", "show", "sales", "--json").json["members"] == ["rboston"]
    assert corral("user-group", "remove", "sales").code == 0
    assert "no user groups yet" in corral("user-group", "list").out


def test_the_table_of_an_image_has_the_columns_that_people_know(
    corral: CommandLine, laptop: Laptop
) -> None:
    """S64: Assign, Staged, Name, Full Name, Running Version, Assigned Version; and Why."""
    corral("user", "add", "bsmith")
    laptop.says(MachineState.PROVEN, is_running=True)
    lines = corral("image", "users", "debian").out.splitlines()
    assert [word.strip() for word in lines[0].split("  ") if word.strip()] == [
        "ASSIGN",
        "STAGED",
        "NAME",
        "FULL NAME",
        "RUNNING VERSION",
        "ASSIGNED VERSION",
        "WHY",
    ]
    cells = {tuple(line.split()) for line in lines[2:]}
    assert cells == {("bsmith",), ("yes", "rboston", "Roger", "Boston", "1", "1")}


def test_every_reason_is_said_in_words(corral: CommandLine, laptop: Laptop) -> None:
    assert set(SAID) == set(Why)
    laptop.says(MachineState.DOWNLOADING, done_bytes=2, total_bytes=5, rate=2048)
    out = corral("image", "users", "debian").out
    assert "downloading 40 % at 2.0 KiB/s; heard " in out
    laptop.says(MachineState.FAILED, code="chunk-refused", problem="no source gives it")
    out = corral("computer", "images", "laptop").out
    assert "failed; chunk-refused: no source gives it; heard " in out


def test_what_runs_before_it_has_arrived_or_proven_itself_is_told_from_what_stays(
    corral: CommandLine, laptop: Laptop
) -> None:
    (order,) = laptop.check_in().orders.machines
    runs = {"running": order.root, "is_running": True}
    laptop.says(MachineState.DOWNLOADING, done_bytes=2, total_bytes=5, **runs)
    assert "runs while it arrives, 40 % are there" in corral("image", "users", "debian").out
    laptop.says(MachineState.PROVING, **runs)
    assert "runs, and is being proven" in corral("computer", "images", "laptop").out
    laptop.says(MachineState.PROVEN, **runs)
    assert "runs" not in corral("computer", "images", "laptop").out


def test_who_has_no_computer_and_what_has_no_version_is_said(
    corral: CommandLine, laptop: Laptop
) -> None:
    corral("user", "add", "bsmith")
    corral("image", "assign", "debian", "--user", "bsmith")
    assert "uses no computer" in corral("user", "images", "bsmith").out
    corral("image", "revert", "debian/1", "--to", "test")
    assert "no version may be started yet" in corral("user", "images", "bsmith").out


def test_both_sides_edit_the_same_assignment(corral: CommandLine, laptop: Laptop) -> None:
    """S28: the same relation from the other side; the two never disagree."""
    corral("user", "assign", "rboston", "debian", "--staged")
    (row,) = corral("image", "users", "debian", "--filter", "assign=yes", "--json").json
    assert (row["name"], row["staged"]) == ("rboston", True)
    corral("image", "assign", "debian", "--user", "rboston")
    (seen,) = corral("user", "images", "rboston", "--json").json
    assert seen["staged"] is False
    assert corral("user", "unassign", "rboston", "debian").code == 0
    assert corral("image", "users", "debian", "--filter", "assign=yes", "--json").json == []
    again = corral("image", "unassign", "debian", "--user", "rboston")
    assert (again.code, "assignment-unknown" in again.err) == (3, True)
    nobody = corral("image", "assign", "debian")
    assert (nobody.code, "assignee-missing" in nobody.err) == (1, True)


def test_a_code_is_shown_once_and_listed_without_its_secret(
    corral: CommandLine, laptop: Laptop
) -> None:
    made = corral("computer", "code", "--user", "rboston", "--hours", "2", "--count", "3", "--json")
    code = made.json["code"]
    listed = corral("computer", "codes", "--filter", "works=yes")
    assert made.json["id"] in listed.out
    assert code not in listed.out
    assert corral("computer", "code-revoke", made.json["id"]).code == 0
    gone = corral("computer", "code-revoke", made.json["id"])
    assert "registration-code-unknown" in gone.err
    unfit = corral("computer", "code", "--hours", "0")
    assert "registration-code-unfit" in unfit.err


def test_a_computer_is_shown_changed_and_killed(corral: CommandLine, laptop: Laptop) -> None:
    assert corral("computer", "list", "--json").json[0]["users"] == ["rboston"]
    changed = corral(
        "computer", "change", "laptop", "--rate", "2M", "--window", "18:00-06:00=20M", "--pause"
    )
    assert changed.code == 0
    shown = corral("computer", "show", "laptop", "--json").json
    assert (shown["paused"], shown["line"]["rate"]) == (True, 2 << 20)
    assert corral("computer", "change", "laptop", "--resume", "--rate", "none").code == 0
    assert "without a limit" in corral("computer", "show", "laptop").out
    assert "kill-undo laptop" in corral("computer", "kill", "laptop").out
    assert "not told yet" in corral("computer", "list").out
    refused = corral("computer", "delete", "laptop")
    assert "computer-kill-pending" in refused.err
    assert corral("computer", "kill-undo", "laptop").code == 0
    corral("computer", "kill", "laptop")
    laptop.says(MachineState.PROVEN)
    assert "computer-told" in corral("computer", "kill-undo", "laptop").err
    laptop.erase()
    assert corral("computer", "show", "laptop", "--json").json["state"] == "killed"
    assert "may register anew" in corral("computer", "recycle", "laptop").out
    assert corral("computer", "delete", "laptop").code == 0
    assert "no computers yet" in corral("computer", "list").out


def test_a_computer_that_waits_is_approved_or_refused(corral: CommandLine, laptop: Laptop) -> None:
    for name in ("desk", "other"):
        Laptop(laptop.farm, name).ask("rboston")
    waiting = corral("computer", "list", "--filter", "state=waiting").out
    assert "desk" in waiting
    assert "(rboston?)" in waiting
    approved = corral("computer", "approve", "desk")
    assert "registered, for rboston" in approved.out
    assert corral("computer", "refuse", "other").code == 0
    again = corral("computer", "refuse", "desk")
    assert (again.code, "computer-transition" in again.err) == (1, True)


def test_how_machines_run_is_shown_and_changed(corral: CommandLine, laptop: Laptop) -> None:
    assert "1024 MiB" in corral("image", "machine", "debian").out
    changed = corral(
        *("image", "machine", "debian", "--memory", "4096", "--user-disk", "20GiB", "--disable"),
        "--json",
    ).json
    assert (changed["memory_mib"], changed["user_disk_bytes"]) == (4096, 20 << 30)
    assert changed["disabled"] is True
    assert "machine-policy-invalid" in corral("image", "machine", "debian", "--memory", "1").err
    assert corral("image", "machine", "debian", "--user-disk", "none", "--enable").code == 0
    assert "user disk          none" in corral("image", "machine", "debian").out


def test_retry_and_events_reach_a_person(corral: CommandLine, laptop: Laptop) -> None:
    laptop.says(MachineState.WENT_BACK)
    assert "tries debian again" in corral("computer", "retry", "laptop", "debian").out
    corral("user", "add", "bsmith")
    not_theirs = corral("computer", "retry", "laptop", "debian", "--user", "bsmith")
    assert "machine-unknown" in not_theirs.err
    assert "has told of nothing" in corral("computer", "events", "laptop").out
