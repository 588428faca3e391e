"""An image's own guest installs newer guest tools in it, between processes that are shipped."""

from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest
from demo.processes import wait_until

from corral.farm.domain.library.kit import written_public_key
from tests.integration.engine.conftest import Guests
from tests.integration.engine.kits import Publisher
from tests.integration.tasks.conftest import Workshop
from tests.kits import Signer, kit

FARM: Final = {
    "format": 1,
    "component": "farm",
    "release": version("corral"),
    "released_on": "2026-11-30",
    "document": "1",
    "publishes_image_format": 1,
    "publishes_guest_tools": "2.0",
}
SECTOR: Final = 512
_GUEST_SECONDS: Final = 900.0


@pytest.fixture
def scratch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where workers have what is not kept; its path is short, as those of sockets must be."""
    with TemporaryDirectory() as name:
        monkeypatch.setenv("TMPDIR", name)
        yield Path(name)


@pytest.fixture
def office(workshop: Workshop, tmp_path: Path) -> Workshop:
    """A farm whose release puts guest tools 2.0 into images."""
    ask = workshop.corral.ask
    ask("library", "trust", "add", "acme", written_public_key(Signer().public_key))
    medium = Publisher(tmp_path / "publisher").tools("2.0").read_bytes()
    # A kit consists of bytes, not of sectors, and so does what is in front of its medium.
    files = {"corral-0.1.0-py3-none-any.whl": b"w" * 1001, "guest-tools-2.0.img": medium, "z": b"z"}
    path = tmp_path / "farm.corral-kit"
    path.write_bytes(kit(files, FARM))
    ask("library", "import", str(path))
    return workshop


def publish(office: Workshop, image: str, disk: Path) -> None:
    ask = office.corral.ask
    ask("image", "import", image, str(disk), "--server", "s1", "--guest-tools", "1.1")
    ask("image", "machine", image, "--memory", "256")


def folders(scratch: Path) -> list[Path]:
    """Give those in which images are republished."""
    return sorted(scratch.glob("corral-scratch-republish-*"))


def republish(office: Workshop, *words: str) -> int:
    """Have debian republished; give the task's number."""
    (one,) = office.corral.ask("image", "republish", *words)
    assert (one["image"], one["guest_tools"], one["newer_guest_tools"]) == ("debian", "1.1", "2.0")
    number: int = one["task"]
    return number


def ended(office: Workshop, number: int) -> Any:  # noqa: ANN401 - JSON
    """Give a task when it has ended."""
    wait_for(lambda: not office.look(number).state.is_active, f"task {number} ends")
    return office.task(number)


def wait_for(condition: Callable[[], bool], what: str) -> None:
    """Wait for as long as guests may take that are emulated."""
    wait_until(condition, _GUEST_SECONDS, f"waited in vain until {what}")


def shown(office: Workshop) -> dict[str, Any]:
    """Give debian, as each look shows it."""
    (listed,) = office.corral.ask("image", "list")
    single: dict[str, Any] = office.corral.ask("image", "show", "debian")
    assert listed["republish_needed"] is single["republish_needed"]
    return single


def test_one_action_puts_the_tools_in_force_into_an_image(
    office: Workshop, guests: Guests, scratch: Path
) -> None:
    """S52, S53: marked, republished by its own guest, and started by nobody who is not staged."""
    disk = guests.first.path
    publish(office, "debian", disk)
    assert shown(office)["republish_needed"] is True
    (marked,) = office.corral.ask("image", "republish", "--dry-run")
    assert (marked["image"], marked["version"], marked["problem"]) == ("debian", "debian/1", None)
    number = republish(office)
    again = office.corral.refusal("image", "republish", "debian")
    assert (again.code, again.exit_code) == ("republish-under-way", 1)
    office.worker("s1")
    task = ended(office, number)
    assert task["state"] == "done", task
    assert task["result"] == "published debian/2 with guest tools 2.0"
    steps = [line["text"] for line in task["log"]]
    assert "it has installed them, and shuts down" in steps
    assert "it starts with them, on trial" in steps
    image = shown(office)
    standings = {one["version"]: one["standing"] for one in image["versions"]}
    assert standings == {"debian/1": "production", "debian/2": "test"}
    assert (image["newest"], image["republish_needed"]) == ("debian/1", False)
    the_tools_are_in_it_and_all_else_is_as_it_was(office, disk)
    assert office.corral.ask("image", "republish") == []
    needless = office.corral.refusal("image", "republish", "debian")
    assert needless.code == "republish-needless"
    assert "debian/2 has guest tools 2.0, and 2.0 are in force" in needless.message
    assert list(scratch.iterdir()) == []


def the_tools_are_in_it_and_all_else_is_as_it_was(office: Workshop, disk: Path) -> None:
    back = office.home / "back.raw"
    office.corral.ask("image", "verify", "debian/2")
    office.corral.ask("image", "export", "debian/2", str(back))
    old, new = disk.read_bytes(), back.read_bytes()
    assert len(old) == len(new)
    # The medium's `install` writes the last but one sector; in the last, the guest counts starts.
    assert new[-2 * SECTOR : -SECTOR].rstrip(b"\0") == b"2.0\n"
    # The start in which they were tried is not in it.
    assert new[-SECTOR:].rstrip(b"\0") == b"1\n"
    assert new[: -2 * SECTOR] == old[: -2 * SECTOR]


def test_an_image_whose_guest_does_not_answer_stays_as_it_is(
    office: Workshop, guests: Guests, scratch: Path
) -> None:
    publish(office, "debian", guests.broken.path)
    office.worker("s1")
    number = republish(office, "debian")
    wait_for(lambda: "its guest starts" in str(office.task(number)["log"]), "its guest starts")
    office.corral.ask("task", "cancel", str(number))
    assert ended(office, number)["state"] == "cancelled"
    assert list(scratch.iterdir()) == []
    # Only what does not work at all is held to this: whatever works would be too slow at times.
    office.corral.ask("image", "machine", "debian", "--prove-within", "10")
    failure = ended(office, republish(office, "debian"))["failure"]
    assert failure["code"] == "guest-tools-not-installed"
    assert "its guest agent does not answer within 10 s" in failure["message"]
    image = shown(office)
    assert [one["version"] for one in image["versions"]] == ["debian/1"]
    assert image["republish_needed"] is True
    assert list(scratch.iterdir()) == []


def test_what_a_killed_worker_left_is_removed_by_the_next(
    office: Workshop, guests: Guests, scratch: Path
) -> None:
    publish(office, "debian", guests.broken.path)
    killed = office.worker("s1")
    number = republish(office, "debian")
    wait_for(lambda: "its guest starts" in str(office.task(number)["log"]), "its guest starts")
    killed.kill()
    (left,) = folders(scratch)
    assert (left / "written.qcow2").stat().st_size > 0
    office.worker("s1")
    assert not left.exists()
    # The run that was lost is begun again, in a folder of its own.
    wait_for(lambda: folders(scratch) != [], "its guest starts again")
    office.corral.ask("task", "cancel", str(number))
    assert ended(office, number)["state"] == "cancelled"
    assert list(scratch.iterdir()) == []
