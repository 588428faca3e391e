import pytest
from tests.farm_in_memory import FarmInMemory


@pytest.fixture
def farm() -> FarmInMemory:
    return FarmInMemory()
