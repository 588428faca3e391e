"""``corral image republish``, and the mark that lists show."""

import pytest
from tests.contract.test_republishing import Office, be_changed
from tests.unit.farm.entrypoints.cli.conftest import CommandLine

from corral.farm.adapters.memory.records import MemoryTransactions


@pytest.fixture
def farm() -> Office:
    """It has debian and windows, with older guest tools than its release brings."""
    office = Office(MemoryTransactions())
    office.publish("windows", "4.0", 5)
    return office


def test_the_mark_is_where_a_person_looks(corral: CommandLine, farm: Office) -> None:
    farm.publish("new", "5.0", 2)
    marked, _ = [line for line in corral("image", "list").out.splitlines() if "needed" in line]
    assert marked.startswith("debian (republish needed)")
    found = corral("image", "list", "--filter", "republish=needed", "--json").json
    only = found[0]
    assert [one["name"] for one in found] == ["debian", "windows"]
    assert only["newer_guest_tools"] == "5.0"
    shown = " ".join(corral("image", "show", "debian").out.split())
    assert "republish needed debian/1 has guest tools 4.5, and 5.0 are in force" in shown
    assert "republish needed" not in corral("image", "show", "new").out


def test_a_dry_run_says_which_and_why_and_changes_nothing(
    corral: CommandLine, farm: Office
) -> None:
    be_changed(farm)
    said = corral("image", "republish", "--dry-run")
    assert said.code == 0
    debian, windows = [line for line in said.out.splitlines() if "/1" in line]
    assert ("4.5" in debian, "device 'pc1'" in debian) == (True, True)
    assert windows.split() == ["windows", "windows/1", "4.0", "5.0"]
    assert farm.application.list_tasks() == ()


def test_what_is_left_is_said_and_shows_in_the_exit_code(corral: CommandLine, farm: Office) -> None:
    be_changed(farm)
    said = corral("image", "republish")
    assert said.code == 1
    assert "not now: device 'pc1' changes image 'debian'" in said.out
    (task,) = farm.application.list_tasks()
    assert task.task.request.object == "windows"
    assert "'corral task watch TASK' follows a task" in said.out


def test_it_is_for_staged_machines_unless_it_is_said(corral: CommandLine, farm: Office) -> None:
    (first,) = corral("image", "republish", "debian", "--json").json
    (second,) = corral("image", "republish", "windows", "--to", "production", "--json").json
    tasks = {one.task.number: one.task.request for one in farm.application.list_tasks()}
    assert tasks[first["task"]].arguments["to"] == "test"
    assert tasks[second["task"]].arguments["to"] == "production"
    again = corral("image", "republish", "debian")
    assert (again.code, "republish-under-way" in again.err) == (1, True)
    unknown = corral("image", "republish", "nothing")
    assert (unknown.code, "image-unknown" in unknown.err) == (3, True)


def test_where_nothing_is_marked_it_says_so(corral: CommandLine, farm: Office) -> None:
    for name in ("debian", "windows"):
        farm.publish(name, "5.0", 9)
    assert corral("image", "republish").out.strip().endswith("no image has to be republished")
