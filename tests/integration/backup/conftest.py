from pathlib import Path

import pytest

from tests.integration.backup.farms import BackedUpFarm


@pytest.fixture
def farm(tmp_path: Path) -> BackedUpFarm:
    return BackedUpFarm.at(tmp_path)
