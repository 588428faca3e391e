"""Kinds of tasks that have servers and devices do the work, and watch them."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from tests.farm_in_memory import FarmInMemory, disk

from corral.farm.application.add_server import NewServer
from corral.farm.application.maintain_image import MaintenanceRequest
from corral.farm.application.progress import Progress
from corral.farm.application.take_server_report import (
    ReportedOverlay,
    ReportedReplica,
    ServerReport,
)
from corral.farm.application.work_on_task import Failed, Finished, Stopped
from corral.farm.domain.errors import TryAgainError
from corral.farm.domain.estate.address import Address
from corral.farm.domain.estate.server import Server, server_name
from corral.farm.domain.image.image import ImageName
from corral.farm.domain.image.overlay import OverlayCondition
from corral.farm.domain.image.replica import ReplicaState
from corral.farm.domain.image.root import RootHash
from corral.farm.domain.image.version import VersionName
from corral.farm.domain.task.errors import TaskArgumentsInvalidError
from corral.farm.domain.task.task import Task

R1_CHUNKS = Address("127.0.0.1", 10_891)
SEALED = RootHash(f"{77:064x}")


@dataclass
class Around:
    """Lets something happen whenever a task waits."""

    happens: Callable[[], None] = lambda: None
    progress: Progress = field(default_factory=Progress)
    lines: list[str] = field(default_factory=list)

    def wait(self, seconds: float) -> None:
        del seconds
        self.happens()

    def say(self, text: str) -> None:
        self.lines.append(text)

    def made(self, records: object, result: str) -> None:
        raise NotImplementedError


@pytest.fixture
def farm() -> FarmInMemory:
    farm = FarmInMemory()
    farm.add_server("s1")
    farm.import_disk("debian", disk(1))
    farm.add_device("pc1", "debian")
    return farm


def report(
    farm: FarmInMemory,
    server: Server,
    condition: OverlayCondition,
    done: int = 0,
    total: int = 0,
) -> None:
    """Let the server say how the overlays are that it was told of, and how far its sealing is."""
    wanted = farm.application.configure_server(server.id)
    sealed = condition is OverlayCondition.SEALED
    farm.application.take_server_report(
        server.id,
        ServerReport(
            generation=wanted.generation,
            overlays=tuple(
                ReportedOverlay(
                    one.overlay.id,
                    condition,
                    written_bytes=4096,
                    problem="the disk is full" if condition is OverlayCondition.FAILED else "",
                    sealed_root=SEALED if sealed else None,
                    sealed_bytes=one.overlay.size_bytes if sealed else None,
                    sealing_done_bytes=done,
                    sealing_total_bytes=total,
                )
                for one in wanted.overlays
            ),
        ),
    )


def maintained(farm: FarmInMemory) -> tuple[Server, Task]:
    """Have a device write over the image, and ask for what it wrote to be sealed."""
    server = farm.application.list_servers()[0].server
    report(farm, server, OverlayCondition.READY)
    device = farm.application.list_devices()[0].device
    farm.application.maintain_image(MaintenanceRequest(ImageName("debian"), device.name))
    with suppress(TryAgainError):
        farm.application.log_device_in(device.id, None)
    report(farm, server, OverlayCondition.READY)
    farm.wait(1)
    arguments = {"image": "debian", "access": "test", "description": "with Firefox"}
    task = farm.application.start_task("seal", arguments)
    farm.wait(1)
    return server, task


def test_sealing_is_asked_for_and_watched_until_the_version_is_there(farm: FarmInMemory) -> None:
    server, task = maintained(farm)
    around = Around(lambda: report(farm, server, OverlayCondition.SEALED))
    assert farm.application.run_task(task, around) == Finished("published debian/2")
    assert farm.version("debian/2").root == SEALED
    # Another run of the same task, whose worker was killed, finds it done.
    assert farm.application.run_task(task, Around()) == Finished("published debian/2")
    assert len(farm.application.list_images()[0].versions) == 2


def test_sealing_shows_how_far_its_server_is(farm: FarmInMemory) -> None:
    server, task = maintained(farm)
    around = Around()
    says = iter(
        [
            (OverlayCondition.READY, 0, 0),
            (OverlayCondition.READY, 3 << 20, 12 << 20),
            (OverlayCondition.FAILED, 6 << 20, 12 << 20),
            (OverlayCondition.FAILED, 0, 0),
            (OverlayCondition.SEALED, 0, 0),
        ]
    )
    seen: list[tuple[int | None, int]] = []

    def happens() -> None:
        amounts = around.progress.amounts()
        seen.append((amounts.total_bytes, amounts.done_bytes))
        report(farm, server, *next(says))

    around.happens = happens
    assert farm.application.run_task(task, around) == Finished("published debian/2")
    through = around.progress.amounts()
    whole = 12 << 20
    assert seen == [(None, 0), (None, 0), (whole, 3 << 20), (whole, 6 << 20), (whole, 6 << 20)]
    assert (through.total_bytes, through.done_bytes) == (whole, whole)
    assert around.lines == ["the server says: the disk is full"]


def test_cancelled_watching_leaves_the_sealing_alone(farm: FarmInMemory) -> None:
    server, task = maintained(farm)
    around = Around()
    around.happens = around.progress.cancel
    assert farm.application.run_task(task, around) == Stopped()
    report(farm, server, OverlayCondition.SEALED)
    assert farm.version("debian/2").root == SEALED


def test_nothing_to_seal_and_wrong_arguments_are_refused(farm: FarmInMemory) -> None:
    task = farm.application.start_task("seal", {"image": "debian"})
    ending = farm.application.run_task(task, Around())
    assert isinstance(ending, Failed)
    assert ending.failure.code == "maintenance-unknown"
    with pytest.raises(TaskArgumentsInvalidError):
        farm.application.start_task("seal", {"image": "debian", "access": "everybody"})
    for arguments in ({}, {"server": "s1", "site": "default"}):
        with pytest.raises(TaskArgumentsInvalidError):
            farm.application.start_task("rebalance", arguments)
    with pytest.raises(TaskArgumentsInvalidError):
        farm.application.start_task("verify", {})


def test_collection_says_what_it_freed_and_what_it_kept(farm: FarmInMemory) -> None:
    store = farm.store_of("s1")
    store.chunks["dead"] = bytes(100)
    store.manifests[SEALED] = ()
    plan = farm.application.start_task("collect", {"server": "s1", "dry_run": True})
    said = "100 bytes of s1 would be freed; versions kept: 2"
    assert farm.application.run_task(plan, Around()) == Finished(said)
    assert "dead" in store.chunks
    task = farm.application.start_task("collect", {"server": "s1"})
    assert task.request.server == "s1"
    around = Around()
    ending = farm.application.run_task(task, around)
    assert ending == Finished("freed 100 bytes of s1; versions kept: 2")
    assert around.lines == [f"kept, although nobody wants it there: {SEALED}"]


@pytest.mark.parametrize("arguments", [{"server": "s1"}, {"site": "default"}])
def test_round_of_a_balanced_farm_moves_nobody(
    farm: FarmInMemory, arguments: dict[str, str]
) -> None:
    task = farm.application.start_task("rebalance", arguments)
    ending = farm.application.run_task(task, Around())
    assert ending == Finished("no device was to move")


def relayed(farm: FarmInMemory) -> tuple[Server, Task]:
    """Have a relay fetch debian, and its transfer be watched."""
    relay = replace(
        NewServer(
            server_name("r1"), Path("/stores/r1"), (Address("127.0.0.1", 10_890),), R1_CHUNKS
        ),
        management=Address("127.0.0.1", 10_990),
        relay=True,
    )
    server = farm.application.add_server(relay).server
    farm.application.replicate_version(VersionName.parse("debian/1"), [server.name])
    arguments = {"version": "debian/1", "server": "r1"}
    return server, farm.application.start_task("relay", arguments)


def test_a_transfer_to_a_relay_is_watched_until_it_is_there(farm: FarmInMemory) -> None:
    server, task = relayed(farm)
    version = farm.version("debian/1")
    around = Around(happens=lambda: farm.report(server, holds=(version,)))
    assert farm.application.run_task(task, around) == Finished("r1 holds debian/1")
    assert around.progress.amounts().done_bytes == version.size_bytes


def test_a_transfer_to_a_relay_that_nobody_needs_any_more_ends(farm: FarmInMemory) -> None:
    server, task = relayed(farm)

    def unassign() -> None:
        with farm.ports.transactions.writing() as records:
            records.replicas.remove(server.id, farm.version("debian/1").root)

    around = Around(happens=unassign)
    ended = farm.application.run_task(task, around)
    assert ended == Finished("r1 need not hold debian/1 any more")


def test_a_transfer_to_a_relay_waits_while_its_line_is_cut(farm: FarmInMemory) -> None:
    server, task = relayed(farm)
    version = farm.version("debian/1")
    stuck = ReportedReplica(version.root, ReplicaState.STUCK, 1, 2, problem="nobody answers")
    said = [ServerReport(farm.generation, replicas=(stuck,))]

    def happens() -> None:
        if said:
            farm.application.take_server_report(server.id, said.pop())
        else:
            around.progress.cancel()

    around = Around(happens=happens)
    assert farm.application.run_task(task, around) == Stopped()
