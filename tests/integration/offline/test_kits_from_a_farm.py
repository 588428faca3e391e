"""Releases of the engine from a real farm to a real computer: what the farm says of each stage.

A stage is held by what it needs and does not get: a computer that is off, a server that does not
run, a gate in the release itself, a farm that does not answer.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from demo.processes import wait_until

from corral.farm.domain.computer.computer import computer_name
from corral.farm.domain.library.item import item_name
from tests.gates import Gates
from tests.integration.engine.computer import Computer
from tests.integration.engine.farm import SECONDS
from tests.integration.engine.kits import LaunchedComputer, Publisher
from tests.integration.offline.headquarters import Headquarters

LAPTOP: Final = "laptop"


@pytest.fixture
def launched(computer: Computer, tmp_path: Path) -> Iterator[LaunchedComputer]:
    """A computer whose package believes a publisher; it knows of no farm yet."""
    launched = LaunchedComputer(computer, tmp_path / "publishers")
    yield launched
    launched.stop()


@dataclass(frozen=True)
class Administrator:
    """Reads what is said of kits and of the computer."""

    hq: Headquarters

    def says(self, kit: str) -> dict[str, Any]:
        """Give what a command says of the computer and a kit; the computer's side says the same."""
        (said,) = self.hq.corral.ask("library", "computers", kit)
        (other,) = (
            one
            for one in self.hq.app.list_computer_kits(computer_name(LAPTOP))
            if one.item.name == kit
        )
        # Why it is no further may change from one look to the next.
        own = (other.assignment is not None, other.upgrade.upgrade, other.upgrade.detail)
        assert (said["assigned"], said["upgrade"], said["detail"]) == own
        beside: dict[str, Any] = said
        return beside

    def is_shown(self) -> dict[str, Any]:
        shown: dict[str, Any] = self.hq.corral.ask("computer", "show", LAPTOP)
        return shown

    def wait_until_heard(self, **facts: object) -> None:
        """Wait until the farm has heard from the computer that its release is so."""

        def is_heard() -> bool:
            said = self.hq.said(LAPTOP)
            return said is not None and all(
                getattr(said.kit, fact) == value for fact, value in facts.items()
            )

        try:
            self.hq.wait_for(is_heard, f"the farm did not hear of {facts}")
        except Exception as error:
            error.add_note(f"last heard: {self.hq.said(LAPTOP)}")
            error.add_note(self.hq.log())
            raise


def test_a_farm_brings_a_computer_a_release_and_hears_of_one_that_does_not_work(
    headquarters: Headquarters, launched: LaunchedComputer, tmp_path: Path
) -> None:
    hq, admin, ask = headquarters, Administrator(headquarters), headquarters.corral.ask
    publisher, gates = Publisher(tmp_path / "publisher"), Gates(tmp_path, "serve", SECONDS)
    launched.publishers.write_text(f"{publisher.public_key}\n")
    ask("library", "trust", "add", "acme", publisher.public_key)
    ask("library", "folder", "--set", str(publisher.folder))
    kits = (publisher.gated("5.0", gates), publisher.dies("6.0"))
    for kit in kits:
        imported = ask("library", "import", kit.name)
        assert imported["publisher"] == "acme"
    ask("user", "add", "rboston")
    hq.register(launched.computer, LAPTOP, "rboston")
    launched.start()
    package = launched.kit()["release"]
    admin.wait_until_heard(state="none", release=package)
    it_is_told_when_it_is_there(hq, admin, launched)
    it_tries_installs_and_proves_the_release(hq, admin, launched, gates)
    it_goes_back_from_what_does_not_work(admin, launched, hq)


def it_is_told_when_it_is_there(
    hq: Headquarters, admin: Administrator, launched: LaunchedComputer
) -> None:
    launched.stop()
    hq.corral.ask("library", "assign", "engine-5.0", LAPTOP)
    said = admin.says("engine-5.0")
    assert (said["assigned"], said["upgrade"]) == (True, "pending")
    hq.kill("s1")
    launched.start()
    admin.wait_until_heard(state="downloading", wanted="5.0")
    said = admin.says("engine-5.0")
    assert (said["upgrade"], said["detail"]) == ("signalled", "downloading")


def it_tries_installs_and_proves_the_release(
    hq: Headquarters,
    admin: Administrator,
    launched: LaunchedComputer,
    gates: Gates,
) -> None:
    hq.start()
    gates.wait_until_reached("try")
    admin.wait_until_heard(state="installing")
    said = admin.says("engine-5.0")
    assert (said["upgrade"], said["detail"]) == ("signalled", "installing")
    gates.open("try")
    gates.wait_until_reached("serve")
    # It runs, and has said nothing yet: nobody knows better than what was said before.
    assert admin.says("engine-5.0")["upgrade"] in {"signalled", "installed"}
    hq.kill("api")
    gates.open("serve")
    wait_until(lambda: launched.slots().was_healthy, SECONDS, "it does not say that it works")
    assert launched.kit()["state"] == "proving"
    assert admin.says("engine-5.0")["upgrade"] != "current"
    hq.start()
    launched.computer.run("check-now")
    admin.wait_until_heard(state="current", release="5.0")
    assert admin.says("engine-5.0")["upgrade"] == "current"
    shown = admin.is_shown()
    root = hq.app.show_library_item(item_name("engine-5.0")).item.root
    assert root is not None
    assert shown["engine"]["release"] == "5.0"
    assert (shown["kit"]["state"], shown["kit"]["running"]) == ("current", root.hex)


def it_goes_back_from_what_does_not_work(
    admin: Administrator, launched: LaunchedComputer, hq: Headquarters
) -> None:
    # It waits for news, and needs not be asked.
    hq.corral.ask("library", "assign", "engine-6.0", LAPTOP)
    admin.wait_until_heard(state="went-back", wanted="6.0", attempt=0)
    it_is_said_why(admin)
    beside = {one["kit"]: one["upgrade"] for one in hq.corral.ask("computer", "kits", LAPTOP)}
    assert beside == {"engine-5.0": "none", "engine-6.0": "went-back"}
    launched.stop()
    hq.corral.ask("library", "retry", "engine-6.0", LAPTOP)
    assert admin.says("engine-6.0")["upgrade"] == "pending"
    launched.start()
    admin.wait_until_heard(state="went-back", wanted="6.0", attempt=1)
    it_is_said_why(admin)


def it_is_said_why(admin: Administrator) -> None:
    said = admin.says("engine-6.0")
    assert (said["upgrade"], said["code"]) == ("went-back", "does-not-start")
    assert said["text"] == "release 6.0 was taken back: it ended 3 times"
    shown = admin.is_shown()
    assert shown["engine"]["release"] == "5.0"
    assert shown["kit"]["problem"] == said["text"]
