"""A farm that speaks the wire, a computer, and guests that really start."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from demo.bootable_disk import GuestDisk, missing

from tests.integration.engine.computer import Computer
from tests.integration.engine.farm import SimulatedFarm
from tests.integration.engine.kits import LaunchedComputer, Publisher

BALLAST = 24 << 20
"""What no guest reads at its start, so that it runs long before all has arrived."""


@dataclass(frozen=True)
class Guests:
    """Disks of one image: two versions that work, and one whose guest agent never answers."""

    first: GuestDisk
    second: GuestDisk
    broken: GuestDisk


@pytest.fixture(scope="session")
def guests(tmp_path_factory: pytest.TempPathFactory) -> Guests:
    lacking = missing()
    if lacking and os.environ.get("CI") == "true":
        pytest.fail(f"missing: {', '.join(lacking)}")
    if lacking:
        pytest.skip(f"missing: {', '.join(lacking)}")
    folder = tmp_path_factory.mktemp("guests")
    ballast = os.urandom(BALLAST)
    return Guests(
        GuestDisk.build(folder, 1, ballast=ballast),
        GuestDisk.build(folder, 2, ballast=ballast),
        GuestDisk.build(folder, 3, ballast=ballast, broken=True),
    )


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[SimulatedFarm]:
    farm = SimulatedFarm(tmp_path)
    yield farm
    farm.cut()


@pytest.fixture
def computer(tmp_path: Path, farm: SimulatedFarm) -> Iterator[Computer]:
    """Registered, its engine not started."""
    computer = Computer.new(tmp_path / "logs")
    try:
        computer.register(farm)
        yield computer
    finally:
        computer.end()


@pytest.fixture(scope="module")
def publisher(tmp_path_factory: pytest.TempPathFactory) -> Publisher:
    return Publisher(tmp_path_factory.mktemp("publisher") / "publisher")


@pytest.fixture
def launched(computer: Computer, publisher: Publisher) -> Iterator[LaunchedComputer]:
    """A registered computer whose agents a launcher starts; it is not started."""
    launched = LaunchedComputer(computer, publisher.publishers)
    yield launched
    launched.stop()
