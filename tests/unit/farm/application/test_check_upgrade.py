"""What is in the way of an upgrade, and what ends it; over a farm in memory."""

from datetime import timedelta
from pathlib import Path

import pytest
from tests.farm_in_memory import FarmInMemory, disk
from tests.kits import ENGINE, Signer, kit
from tests.unit.farm.application.computing import Laptop
from tests.unit.farm.application.test_backups import RULES

from corral.farm.application.create_backup import BackupWish
from corral.farm.application.import_image import ImportRequest
from corral.farm.application.import_into_library import LibraryRequest
from corral.farm.application.ports.disk_files import DiskFormat
from corral.farm.application.progress import Progress
from corral.farm.application.start_rollout import RolloutRequest
from corral.farm.application.take_server_report import ReportedReplica, ServerReport
from corral.farm.domain.estate.releases import SeenReleases
from corral.farm.domain.estate.store import FIRST_STORE
from corral.farm.domain.image.image import image_name
from corral.farm.domain.image.replica import ReplicaState
from corral.farm.domain.image.version import Access
from corral.farm.domain.library.item import ItemKind, item_name
from corral.farm.domain.library.kit import publisher_name
from corral.farm.domain.library.release import Release
from corral.farm.domain.rollout.rollout import rollout_name
from corral.farm.domain.upgrade.check import BACKUP_AGE
from corral.farm.domain.upgrade.errors import UpgradeKitInvalidError
from corral.farm.domain.upgrade.obstacle import Obstacle

FIVE = item_name("farm-5.0")
FARM = {
    "format": 1,
    "component": "farm",
    "release": "5.0",
    "released_on": "2026-11-30",
    "document": "1",
    "publishes_image_format": 1,
    "publishes_guest_tools": "5.0",
    "upgrades": {"back_to": "0.1.0"},
    "schema": {"expands_to": "0002", "contracts_to": "0003", "readable_from": "0001"},
}
OF_OLD = {
    **FARM,
    "release": "0.1.0",
    "publishes_guest_tools": "0.1.0",
    "upgrades": {},
    "schema": {"expands_to": "0001", "readable_from": "0001"},
}


class Ready:
    """A farm with two servers and a kit of its next release, with nothing in the way."""

    def __init__(self, farm: FarmInMemory) -> None:
        self.farm = farm
        self.servers = [farm.add_server("s1"), farm.add_server("s2")]
        farm.application.set_copies(FIRST_STORE.name, None)
        farm.application.trust_publisher(publisher_name("acme"), Signer().public_key)
        self.take_in("old", OF_OLD)
        self.take_in("five", FARM)
        self.stage()
        self.back_up()

    def take_in(self, file: str, release: object) -> None:
        path = Path("/import") / file
        self.farm.ports.files[path] = kit(release=release)  # type: ignore[arg-type] # a manifest
        self.farm.application.import_into_library(LibraryRequest(path, ItemKind.KIT), Progress())

    def stage(self) -> None:
        """Let every server say that it has all that it should."""
        for server in self.servers:
            wanted = self.farm.application.configure_server(server.id).replicas
            replicas = tuple(
                ReportedReplica(one.root, ReplicaState.COMPLETE, one.size_bytes, one.size_bytes)
                for one in wanted
            )
            releases = SeenReleases("0.1.0", ("0.1.0",), is_ready=True, is_supervised=True)
            report = ServerReport(
                generation=self.farm.generation,
                replicas=replicas,
                release="0.1.0",
                releases=releases,
            )
            self.farm.application.take_server_report(server.id, report)

    def back_up(self, read_by: str = "5.0") -> None:
        self.farm.wait(1)
        made = self.farm.application.create_backup(
            BackupWish(Path("/backups"), RULES.recipients or ()), Progress()
        )
        self.farm.application.note_verified_backup(made.backup.id, read_by)

    def found(self) -> dict[Obstacle, str]:
        hindrances = self.farm.application.check_upgrade(FIVE).hindrances
        return {one.obstacle: f"{one.thing}: {one.message}" for one in hindrances}


@pytest.fixture
def ready(farm: FarmInMemory) -> Ready:
    return Ready(farm)


def test_nothing_is_in_the_way_of_a_farm_that_is_ready(ready: Ready) -> None:
    check = ready.farm.application.check_upgrade(FIVE)
    assert check.hindrances == ()
    assert check.is_clear
    assert (str(check.now), str(check.to.release)) == ("0.1.0", "5.0")


def test_a_release_that_may_not_follow_is_named_with_its_fact(ready: Ready) -> None:
    upgrades = {"oldest": "4.0", "because": "the schema"}
    ready.take_in("six", {**FARM, "release": "6.0", "upgrades": upgrades})
    ready.stage()
    ready.back_up("6.0")
    (one,) = ready.farm.application.check_upgrade(item_name("farm-6.0")).hindrances
    assert one.obstacle is Obstacle.RELEASE_FORBIDDEN
    assert "farm-6.0 cannot follow 0.1.0: the schema (fact farm-6.0/upgrades)" in one.message


def test_every_server_has_the_whole_kit_on_its_own_disk(ready: Ready) -> None:
    late = ready.farm.add_server("s3")
    ready.servers.append(late)
    found = ready.found()
    assert found[Obstacle.KIT_NOT_STAGED] == "server s3: it has 0 % of farm-5.0"
    ready.stage()
    assert Obstacle.KIT_NOT_STAGED not in ready.found()


def test_computers_that_could_not_follow_are_named_also_when_they_are_away(ready: Ready) -> None:
    """S13, and S8: they are judged as they were when they were last heard of."""
    two = {**FARM, "release": "7.0", "publishes_image_format": 2}
    ready.take_in("seven", two)
    ready.stage()
    laptop = Laptop(ready.farm)
    laptop.register("rboston")
    laptop.check_in()
    ready.back_up("7.0")
    check = ready.farm.application.check_upgrade(item_name("farm-7.0"))
    (one,) = check.hindrances
    assert (one.obstacle, one.thing) == (Obstacle.COMPUTERS_BEHIND, "computer laptop")
    assert "engine 1.0.0 runs 1; last heard of" in one.message
    ready.back_up()
    assert ready.found() == {}


def test_active_tasks_and_rollouts_are_waited_for(ready: Ready) -> None:
    farm = ready.farm
    path = Path("/disks/new")
    farm.ports.files[path] = disk(1)
    task = farm.application.start_task("import", {"image": "debian", "path": str(path)})
    assert (
        f"task {task.number}: import of debian is queued since"
        in (ready.found()[Obstacle.TASK_ACTIVE])
    )
    farm.application.cancel_task(task.number)
    assert ready.found() == {}
    first = farm.import_disk("debian", disk(1)).version
    laptop = Laptop(farm)
    laptop.register("rboston")
    laptop.assign("debian")
    request = ImportRequest(image_name("debian"), path, DiskFormat.RAW, to=Access.TEST)
    farm.ports.files[path] = disk(2)
    second = farm.application.import_image(request, Progress()).version
    ready.stage()
    assert first.number != second.number
    farm.application.start_rollout(RolloutRequest(rollout_name("two"), second.name))
    assert ready.found()[Obstacle.ROLLOUT_UNDER_WAY] == "rollout two: it is under way"


def test_a_backup_of_today_was_restored_and_found_good(ready: Ready) -> None:
    ready.farm.wait((BACKUP_AGE + timedelta(hours=1)).total_seconds())
    ready.stage()
    assert ready.found()[Obstacle.BACKUP_LACKING] == (
        "farm: the newest that was verified is 25 hours old"
    )
    ready.back_up()
    assert Obstacle.BACKUP_LACKING not in ready.found()


def test_the_backup_was_read_by_the_new_release_too(ready: Ready) -> None:
    for reader, words in (("", "read by no other release"), ("4.5", "read by 4.5")):
        ready.back_up(reader)
        assert ready.found() == {
            Obstacle.BACKUP_UNREAD: (
                f"farm: the newest that was verified was {words}, and not by 5.0"
            )
        }
    ready.back_up("5.0.0")
    assert ready.found() == {}


def test_errors_of_the_farm_check_are_in_the_way_and_warnings_are_not(ready: Ready) -> None:
    version = ready.farm.import_disk("debian", disk(1)).version
    ready.stage()
    ready.farm.add_device("pc1", "debian")
    assert Obstacle.FARM_UNSOUND not in ready.found()
    for server in ready.servers:
        lost = ReportedReplica(version.root, ReplicaState.DAMAGED, 0, version.size_bytes)
        report = ServerReport(generation=ready.farm.generation, replicas=(lost,))
        ready.farm.application.take_server_report(server.id, report)
    assert Obstacle.FARM_UNSOUND in ready.found()


def test_somebody_answers_where_servers_say_that_they_are(ready: Ready) -> None:
    reach = ready.farm.ports.reach
    one, other = ready.servers
    assert ready.found() == {}
    assert set(reach.tried) == {
        *one.advertised,
        one.chunks_advertised,
        *other.advertised,
        other.chunks_advertised,
    }
    reach.silent = {one.advertised[0], one.chunks_advertised}
    assert ready.found() == {
        Obstacle.PORT_UNREACHABLE: (
            f"server s1: {one.advertised[0]} (devices): connection refused;"
            f" {one.chunks_advertised} (chunks): connection refused"
        )
    }
    # Of one that says nothing it is known that it does not answer.
    ready.farm.wait(3600)
    reach.tried.clear()
    assert Obstacle.PORT_UNREACHABLE not in ready.found()
    assert reach.tried == []


def test_images_with_older_tools_are_worth_publishing_anew(ready: Ready) -> None:
    """S38, S52."""
    path = Path("/disks/old")
    for name, tools in (
        ("old", Release.parse("4.5")),
        ("new", Release.parse("5.0")),
        ("silent", None),
    ):
        ready.farm.ports.files[path] = disk(len(name))
        request = ImportRequest(image_name(name), path, DiskFormat.RAW, guest_tools=tools)
        ready.farm.application.import_image(request, Progress())
    assert ready.farm.application.check_upgrade(FIVE).to_republish == ("old",)


def test_only_a_kit_of_the_farm_upgrades_the_farm(ready: Ready) -> None:
    ready.take_in("engine", ENGINE)
    with pytest.raises(UpgradeKitInvalidError, match=r"engine-5\.0 is a release of the engine"):
        ready.farm.application.check_upgrade(item_name("engine-5.0"))


def test_what_the_first_steps_would_stop_at_is_told_beforehand(ready: Ready) -> None:
    bare = ready.farm.add_server("s3")
    ready.servers.append(bare)
    ready.stage()
    ready.farm.application.take_server_report(
        bare.id, ServerReport(generation=ready.farm.generation, release="0.1.0")
    )
    found = ready.found()
    assert found[Obstacle.SERVER_UNSUPERVISED].startswith("server s3: ")
    assert {one.obstacle for one in ready.farm.application.check_upgrade(FIVE).hindrances} >= {
        Obstacle.SERVER_UNSUPERVISED
    }
    strange = SeenReleases("4.9", ("4.9",), is_ready=True, is_supervised=True)
    ready.farm.application.take_server_report(
        bare.id,
        ServerReport(generation=ready.farm.generation, release="4.9", releases=strange),
    )
    assert ready.found()[Obstacle.RELEASE_FOREIGN].startswith("server s3: ")


def test_there_is_no_way_down_that_the_farms_own_release_does_not_name(ready: Ready) -> None:
    ready.take_in("older", {**OF_OLD, "release": "0.0.9"})
    ready.stage()
    found = {
        one.obstacle: one.message
        for one in ready.farm.application.check_upgrade(item_name("farm-0.0.9")).hindrances
    }
    assert "farm-0.1.0/back-to" in found[Obstacle.RELEASE_FORBIDDEN]
