"""Images with older guest tools are marked, and one action republishes them; on each database."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest

from corral.farm.adapters.memory.image_locks import MemoryImageLocks
from corral.farm.application.change_image import ImageEdit
from corral.farm.application.import_image import ImportRequest
from corral.farm.application.import_into_library import LibraryRequest
from corral.farm.application.maintain_image import MaintenanceRequest
from corral.farm.application.ports.chunk_stores import Peers
from corral.farm.application.ports.disk_files import DiskFormat, RawFile
from corral.farm.application.ports.records import Records, Transactions
from corral.farm.application.progress import Progress
from corral.farm.application.republish_images import Republished
from corral.farm.application.verbs import Application
from corral.farm.application.work_on_task import Ending, Failed, Finished, PutOff, Stopped, made
from corral.farm.domain.estate.server import server_name
from corral.farm.domain.image.errors import ImageUnknownError, VersionNotHeldError
from corral.farm.domain.image.image import ImageName, image_name
from corral.farm.domain.image.overlay_errors import MaintenanceUnderWayError
from corral.farm.domain.image.republishing_errors import (
    GuestToolsMissingError,
    RepublishNeedlessError,
    RepublishTooEarlyError,
    RepublishUnderWayError,
)
from corral.farm.domain.image.version import Access
from corral.farm.domain.image.write_cache import ImageMode
from corral.farm.domain.library.item import ItemKind, item_name
from corral.farm.domain.library.kit import publisher_name
from corral.farm.domain.library.release import Release
from corral.farm.domain.task.task import Task, TaskKind
from corral.farm.domain.upgrade.blueprint import UpgradeNumber
from corral.farm.domain.upgrade.state import UpgradeState
from corral.farm.domain.upgrade.upgrade import Upgrade, UpgradeId
from tests.farm_in_memory import FarmInMemory, MemoryPorts, disk
from tests.kits import ENGINE, Signer, kit

DEBIAN: Final = image_name("debian")
FARM: Final[Mapping[str, Any]] = {
    "format": 1,
    "component": "farm",
    "release": "0.1.0",
    "released_on": "2026-11-30",
    "document": "1",
    "publishes_image_format": 1,
    "publishes_guest_tools": "5.0",
}
TOOLS: Final = {"guest-tools-5.0.img": b"tools" * 99, "install": b"#!/bin/sh\n"}


@dataclass
class Around:
    """What a worker lends to a task."""

    task: Task
    progress: Progress = field(default_factory=Progress)
    lines: list[str] = field(default_factory=list)

    def wait(self, seconds: float) -> None:
        raise NotImplementedError

    def say(self, text: str) -> None:
        self.lines.append(text)

    def made(self, records: Records, result: str) -> None:
        made(records, self.task.number, self.task.run, result)


class Office(FarmInMemory):
    """A farm whose release puts guest tools 5.0 into images, with debian that has 4.5."""

    def __init__(self, transactions: Transactions) -> None:
        super().__init__(MemoryPorts(transactions=transactions))
        self.server = self.add_server("s1")
        self.application.trust_publisher(publisher_name("acme"), Signer().public_key)
        self.take_in("farm", FARM)
        self.take_in("engine", ENGINE, TOOLS)
        self.publish("debian", "4.5", 1)

    def take_in(
        self, file: str, release: Mapping[str, Any], files: Mapping[str, bytes] | None = None
    ) -> None:
        path = Path("/import") / file
        content = kit(release=release) if files is None else kit(files, release)
        self.ports.files[path] = content
        self.application.import_into_library(LibraryRequest(path, ItemKind.KIT), Progress())

    def publish(self, image: str, tools: str | None, filling: int) -> None:
        path = Path("/disks") / image
        self.ports.files[path] = disk(filling)
        release = None if tools is None else Release.parse(tools)
        self.application.import_image(
            ImportRequest(image_name(image), path, DiskFormat.RAW, guest_tools=release),
            Progress(),
        )

    def marked(self) -> list[str]:
        """Give the images that a person is shown as marked, which all lists agree about."""
        listed = [one.image.name for one in self.application.list_to_republish()]
        shown = [v.image.name for v in self.application.list_images() if v.older_tools]
        single = [
            name
            for name in (view.image.name for view in self.application.list_images())
            if self.application.show_image(name).older_tools
        ]
        assert listed == shown == single
        return [str(name) for name in listed]

    def republish(self, *images: ImageName, to: Access = Access.TEST) -> tuple[Republished, ...]:
        return self.application.republish_images(images, to)

    def claimed(self, *images: ImageName) -> Task:
        """Have an image republished, and give the task to its worker."""
        (one,) = self.republish(*images or (DEBIAN,))
        assert one.task is not None
        return self.claim(one.task)

    def claim(self, task: Task) -> Task:
        claimed = self.application.claim_task(task.number, task.run, "worker")
        assert claimed is not None
        return claimed

    def run(self, task: Task, around: Around | None = None) -> Ending:
        """Do what a worker does."""
        around = around or Around(task)
        ending = self.application.run_task(task, around)
        self.application.end_task(task.number, task.run, ending, around.progress.amounts())
        return ending

    def versions(self) -> list[str]:
        view = self.application.show_image(DEBIAN)
        return [f"{one.version.name} {one.version.standing}" for one in view.versions]


@pytest.fixture
def office(transactions: Transactions) -> Office:
    return Office(transactions)


def test_images_with_older_tools_are_marked_and_no_others(office: Office) -> None:
    """S52."""
    office.publish("new", "5.0", 2)
    office.publish("newer", "5.1", 3)
    office.publish("silent", None, 4)
    office.publish("windows", "4.0", 5)
    office.publish("own", "4.5", 6)
    office.application.change_image(image_name("own"), ImageEdit(mode=ImageMode.CUSTOM))
    assert office.marked() == ["debian", "windows"]
    (debian, windows) = office.application.list_to_republish()
    assert str(debian.older) == "debian/1 has guest tools 4.5, and 5.0 are in force"
    assert (str(windows.older.inside), windows.problem) == ("4.0", None)


def test_nobody_is_marked_before_the_upgrade_is_finalised(office: Office) -> None:
    """Until then it can be gone back from, and the tools of the old release are in force."""
    before = {**FARM, "release": "0.0.9", "publishes_guest_tools": "4.5"}
    office.take_in("before", before)
    with office.ports.transactions.writing() as records:
        records.upgrades.add(upgrade_from("0.0.9"))
    assert office.marked() == []
    office.publish("windows", "4.0", 5)
    (windows,) = office.republish()
    assert isinstance(windows.marked.problem, RepublishTooEarlyError)
    assert (windows.marked.image.name, windows.task) == ("windows", None)
    with pytest.raises(RepublishTooEarlyError, match="upgrade 1 is awaiting-finalise: finish it"):
        office.republish(image_name("windows"))
    with pytest.raises(RepublishNeedlessError, match=r"has guest tools 4\.5, and 4\.5 are in"):
        office.republish(DEBIAN)
    with office.ports.transactions.writing() as records:
        (seen,) = records.upgrades.all()
        records.upgrades.change(seen, replace(seen, state=UpgradeState.DONE))
    assert office.marked() == ["debian", "windows"]


def upgrade_from(release: str) -> Upgrade:
    now = MemoryPorts().clock.now()
    return Upgrade(
        id=UpgradeId(UUID(int=1)),
        number=UpgradeNumber(1),
        kit=item_name("farm-0.1.0"),
        old=Release.parse(release),
        new=Release.parse("0.1.0"),
        state=UpgradeState.AWAITING_FINALISE,
        started_at=now,
        started_by="account ada",
        changed_at=now,
    )


def test_one_action_republishes_all_that_are_marked_for_staged_machines(office: Office) -> None:
    """S52, S53."""
    office.publish("windows", "4.0", 5)
    office.publish("new", "5.0", 2)
    republished = office.republish()
    assert [one.marked.image.name for one in republished] == ["debian", "windows"]
    for one in republished:
        assert one.task is not None
        assert (one.task.request.kind, one.task.request.server) == (TaskKind.REPUBLISH, "s1")
        name = one.marked.image.name
        around = Around(office.claim(one.task))
        ending = office.run(around.task, around)
        assert ending == Finished(f"published {name}/2 with guest tools 5.0")
        first, *_ = around.lines
        assert first == f"{one.marked.older}: its guest is to install them on s1"
    assert office.versions() == ["debian/1 production", "debian/2 test"]
    version = office.version("debian/2")
    assert (version.guest_tools, version.description) == ("5.0", "debian/1 with guest tools 5.0")
    # What is started is what it was: nobody is switched.
    newest = office.application.show_image(DEBIAN).newest
    assert str(newest and newest.name) == "debian/1"
    assert office.marked() == []
    with office.store_of("s1").served(version.root, Peers()) as content:
        assert isinstance(content, RawFile)
        assert office.ports.files[content.path].startswith(disk(1)[:-100])
        assert b"guest-tools-5.0.img of" in office.ports.files[content.path]


def test_who_may_start_it_at_once_has_to_be_said(office: Office) -> None:
    (one,) = office.republish(DEBIAN, to=Access.PRODUCTION)
    assert one.task is not None
    assert one.task.request.arguments["to"] == "production"
    office.run(office.claim(one.task))
    assert office.version("debian/2").access is Access.PRODUCTION


def test_of_all_that_are_marked_those_that_cannot_be_are_left_with_the_reason(
    office: Office,
) -> None:
    office.publish("windows", "4.0", 5)
    be_changed(office)
    (listed, _) = office.application.list_to_republish()
    debian, windows = office.republish()
    assert isinstance(debian.marked.problem, MaintenanceUnderWayError)
    assert type(listed.problem) is type(debian.marked.problem)
    assert debian.task is None
    assert windows.task is not None


def be_changed(office: Office) -> None:
    office.report(office.server, holds=(office.version("debian/1"),))
    device = office.add_device("pc1", "debian")
    office.application.maintain_image(MaintenanceRequest(DEBIAN, device.name, office.server.name))


def be_republished(office: Office) -> None:
    office.republish(DEBIAN)


def lose_the_version(office: Office) -> None:
    with office.ports.transactions.writing() as records:
        records.replicas.remove(office.server.id, office.version("debian/1").root)


def lose_the_kit(office: Office) -> None:
    office.application.remove_library_item(item_name("engine-5.0"))


def be_custom(office: Office) -> None:
    office.application.change_image(DEBIAN, ImageEdit(mode=ImageMode.CUSTOM))


def say_nothing_of_tools(office: Office) -> None:
    office.publish("debian", None, 7)


def forget_the_farm_kit(office: Office) -> None:
    office.application.remove_library_item(item_name("farm-0.1.0"))


@pytest.mark.parametrize(
    ("happens", "refused", "says"),
    [
        (be_changed, MaintenanceUnderWayError, "device 'pc1' changes image 'debian'"),
        (be_republished, RepublishUnderWayError, r"republished by task \d+: 'corral task watch"),
        (lose_the_version, VersionNotHeldError, "no server holds 'debian/1' completely"),
        (lose_the_kit, GuestToolsMissingError, r"guest-tools-5\.0\.img"),
        (be_custom, RepublishNeedlessError, "it is custom, and its device keeps its own disk"),
        (say_nothing_of_tools, RepublishNeedlessError, "nobody said which guest tools"),
        (forget_the_farm_kit, RepublishNeedlessError, r"no kit of farm 0\.1\.0 in the library"),
    ],
)
def test_what_cannot_be_republished_is_refused_and_changes_nothing(
    office: Office, happens: Callable[[Office], None], refused: type[Exception], says: str
) -> None:
    office.publish("windows", "4.0", 5)
    happens(office)
    before = office.application.list_tasks()
    named = (image_name("windows"), DEBIAN)
    with pytest.raises(refused, match=says):
        office.republish(*named)
    with pytest.raises(refused, match=says):
        office.application.list_to_republish(named)
    assert office.application.list_tasks() == before


def test_an_image_that_nobody_knows_is_refused(office: Office) -> None:
    with pytest.raises(ImageUnknownError):
        office.republish(image_name("nothing"), DEBIAN)
    assert office.application.list_tasks() == ()


def test_of_two_kits_with_the_tools_the_one_on_the_servers_own_disk_is_taken(
    office: Office,
) -> None:
    office.add_server("s2")
    path = Path("/import/far")
    office.ports.files[path] = kit(TOOLS, {**ENGINE, "release": "4.9"})
    far = LibraryRequest(path, ItemKind.KIT, server=server_name("s2"))
    first = office.application.import_into_library(far, Progress())
    assert first.name < item_name("engine-5.0")
    assert office.run(office.claimed()) == Finished("published debian/2 with guest tools 5.0")


def test_a_guest_that_does_not_come_up_leaves_everything_as_it_was(office: Office) -> None:
    office.ports.guest_tools.problem = "its guest agent does not answer within 600 s"
    chunks = dict(office.store_of("s1").chunks)
    ending = office.run(office.claimed())
    assert isinstance(ending, Failed)
    assert ending.failure.code == "guest-tools-not-installed"
    assert "does not answer within 600 s" in ending.failure.message
    assert office.versions() == ["debian/1 production"]
    assert office.store_of("s1").chunks == chunks
    assert office.marked() == ["debian"]


def test_cancelled_while_its_guest_works_it_publishes_nothing(office: Office) -> None:
    around = Around(office.claimed())
    office.ports.guest_tools.meanwhile = around.progress.cancel
    assert office.run(around.task, around) == Stopped()
    assert office.versions() == ["debian/1 production"]


def test_what_is_published_meanwhile_is_not_lost_in_it(office: Office) -> None:
    """As if another machine's lock did not hold it off."""
    task = office.claimed()

    def publish_past_the_lock() -> None:
        office.ports.image_locks = MemoryImageLocks()
        office.application = Application(office.ports)
        office.publish("debian", "4.6", 9)

    office.ports.guest_tools.meanwhile = publish_past_the_lock
    assert isinstance(office.run(task), PutOff)
    assert office.versions() == ["debian/1 production", "debian/2 production"]


def test_what_a_killed_worker_made_is_not_made_again(office: Office) -> None:
    task = office.claimed()
    office.application.run_task(task, Around(task))
    known = office.application.show_task(task.number).view.task
    assert office.run(known) == Finished("published debian/2 with guest tools 5.0")
    assert office.versions() == ["debian/1 production", "debian/2 test"]
