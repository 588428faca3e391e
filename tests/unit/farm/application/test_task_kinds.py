"""Kinds of tasks that have servers and devices do the work, and watch them."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from tests.farm_in_memory import FarmInMemory, disk

from corral.farm.application.maintain_image import MaintenanceRequest
from corral.farm.application.progress import Progress
from corral.farm.application.take_server_report import ReportedOverlay, ServerReport
from corral.farm.application.work_on_task import Failed, Finished, Stopped
from corral.farm.domain.errors import TryAgainError
from corral.farm.domain.estate.server import Server
from corral.farm.domain.image.image import ImageName
from corral.farm.domain.image.overlay import OverlayCondition
from corral.farm.domain.image.root import RootHash
from corral.farm.domain.task.errors import TaskArgumentsInvalidError
from corral.farm.domain.task.task import Task

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


def report(farm: FarmInMemory, server: Server, condition: OverlayCondition) -> None:
    """Let the server say how the overlays are that it was told of."""
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
                    problem="the disk is full" if condition is OverlayCondition.FAILED else "",
                    sealed_root=SEALED if sealed else None,
                    sealed_bytes=one.overlay.size_bytes if sealed else None,
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


@pytest.mark.parametrize("arguments", [{"server": "s1"}, {"site": "default"}])
def test_round_of_a_balanced_farm_moves_nobody(
    farm: FarmInMemory, arguments: dict[str, str]
) -> None:
    task = farm.application.start_task("rebalance", arguments)
    ending = farm.application.run_task(task, Around())
    assert ending == Finished("0 devices were asked to move, and no move is open")
