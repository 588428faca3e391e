"""A farm of real processes, and a computer with the engine's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.engine.computer import Computer
from tests.integration.engine.conftest import Guests, guests
from tests.integration.offline.headquarters import Headquarters

__all__ = ["Guests", "guests"]


@pytest.fixture
def headquarters(tmp_path: Path) -> Iterator[Headquarters]:
    headquarters = Headquarters.at(tmp_path / "hq")
    try:
        headquarters.build()
        yield headquarters
    finally:
        headquarters.end()


@pytest.fixture
def computer(tmp_path: Path) -> Iterator[Computer]:
    """Knows of no farm yet, and its engine is not started."""
    computer = Computer.new(tmp_path / "laptop")
    computer.starts_disks = False
    try:
        yield computer
    finally:
        computer.end()
