"""The last release's command line, clients and engines, and a farm that is newer than they are."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compat.conftest import Releases
from tests.compat.shared_farm import IMAGE, SharedFarm
from tests.integration.engine.computer import Computer
from tests.releases import COLOURS, LABELS, NEXT, TAGS, asking_for_consoles_from, lay_out


@pytest.fixture
def computer(tmp_path: Path) -> Iterator[Computer]:
    """Knows of no farm yet, and its engine is not started."""
    made = Computer.new(tmp_path / "laptop" / "logs")
    try:
        yield made
    finally:
        made.end()


def upgraded(farm: SharedFarm, releases: Releases) -> None:
    """Have a farm of the old release run the new one, not finalised."""
    farm.create(releases.old)
    farm.add_server(releases.old)
    farm.ask(releases.new, "schema", "expand")
    for role in ("api", "stream"):
        farm.start(role, releases.new)
    farm.wait_until_reported()


def test_a_client_reads_from_a_newer_farm_on_and_on(farm: SharedFarm, releases: Releases) -> None:
    farm.create(releases.old)
    farm.add_server(releases.old)
    for role in ("api", "stream"):
        farm.start(role, releases.old)
    farm.wait_until_reported()
    root = farm.ask(releases.old, "image", "show", IMAGE)["versions"][0]["root"]
    with farm.client("pc2") as client:
        assert client.read_once(root).verdicts == ("ok",)
        farm.ask(releases.new, "schema", "expand")
        farm.start("api", releases.new)
        farm.start("stream", releases.new)
        assert client.read_once(root).verdicts == ("ok",)
        farm.wait_until_reported()
        # And one that begins at the newer farm.
        assert farm.log_in("pc2").json()["weather"] == "fair"
    with farm.client("pc2") as client:
        assert client.read_once(root).verdicts == ("ok",)


def test_an_engine_registers_and_checks_in_at_a_newer_farm(
    farm: SharedFarm, releases: Releases, computer: Computer
) -> None:
    upgraded(farm, releases)
    computer.within = ("env", f"PYTHONPATH={releases.old.site}", "PYTHONSAFEPATH=1")
    farm.ask(releases.new, "user", "add", "rboston", "--full-name", "Roger Boston")
    code = farm.ask(releases.new, "computer", "code", "--user", "rboston")["code"]
    computer.run("register", farm.api_url, "--name", "laptop", code=code)
    computer.start()

    def is_heard() -> bool:
        return "4.0" in json.dumps(farm.ask(releases.new, "computer", "show", "laptop"))

    farm.wait_for(is_heard, "the farm did not hear of the engine")
    shown = farm.ask(releases.new, "computer", "show", "laptop")
    assert shown["state"] == "registered"


def test_a_command_line_that_is_too_old_says_so_and_changes_nothing(
    farm: SharedFarm, releases: Releases, tmp_path: Path
) -> None:
    upgraded(farm, releases)
    assert farm.ask(releases.new, "schema", "contract", "--yes")["step"] == TAGS
    strict = lay_out(asking_for_consoles_from(NEXT, "6.0"), tmp_path / "strict")
    assert farm.ask(strict, "schema", "expand")["step"] == COLOURS
    # Expanding shuts out nobody: the facts count from finalising on.
    farm.add_device(releases.new)
    farm.stop("stream")
    farm.start("stream", strict)
    farm.wait_until_reported()
    done = farm.ask(strict, "schema", "contract", "--yes")
    assert (done["taken"], done["oldest_console"]) == ([], "6.0")
    assert farm.seen().readable_from == LABELS, "the older release could read it"
    before = farm.rows("SELECT count(*) FROM audit")
    for words in (["device", "list"], ["device", "add", "pc99", "--mac", "52:54:00:00:00:99"]):
        refused = farm.refusal(releases.new, *words)
        assert (refused.code, refused.exit_code) == ("console-too-old", 6)
        assert "release 5.0, and the farm takes commands from 6.0 on" in refused.message
    assert farm.rows("SELECT count(*) FROM audit") == before
    # It is people's commands that are too old, not the services.
    farm.start("api", releases.new)
    answer = farm.log_in("pc2")
    assert answer.is_success, answer.text
    farm.add_device(strict)


def test_a_command_line_that_the_farm_still_takes_works(
    farm: SharedFarm, releases: Releases, tmp_path: Path
) -> None:
    farm.create(releases.new)
    assert farm.seen().revision == TAGS, "a new farm begins where the release ends"
    lenient = lay_out(asking_for_consoles_from(NEXT, "5.0"), tmp_path / "lenient")
    farm.ask(lenient, "schema", "expand")
    farm.ask(lenient, "schema", "contract", "--yes")
    assert farm.seen().oldest_console == "5.0"
    farm.add_device(releases.new)
    farm.check(releases.new)
