from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.backup.farms import BackedUpFarm
from tests.integration.backup.lost_estate import LostEstate
from tests.integration.farm.estate import Estate


@pytest.fixture
def farm(tmp_path: Path) -> BackedUpFarm:
    return BackedUpFarm.at(tmp_path)


@pytest.fixture
def lost(tmp_path: Path) -> Iterator[LostEstate]:
    estate = Estate.at(tmp_path)
    try:
        estate.build()
        yield LostEstate(estate)
    finally:
        estate.end()
