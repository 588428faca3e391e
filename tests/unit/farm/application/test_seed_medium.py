"""Versions on a medium that is carried to computers."""

from pathlib import Path

import pytest
from tests.farm_in_memory import FarmInMemory, disk

from corral.farm.application.progress import Progress
from corral.farm.domain.image.errors import (
    MediumEmptyError,
    StoreUnreachableError,
    VersionUnknownError,
)
from corral.farm.domain.image.version import VersionName

STICK = Path("/media/stick")


def on_it(farm: FarmInMemory) -> list[str]:
    return sorted(str(one.name) for one in farm.application.list_medium(STICK).versions)


def seed(farm: FarmInMemory, name: str) -> None:
    farm.application.seed_medium(STICK, VersionName.parse(name), Progress())


def test_versions_are_put_beside_those_that_are_on_it(farm: FarmInMemory) -> None:
    farm.add_server("s1")
    farm.import_disk("debian", disk(1, 2))
    farm.import_disk("debian", disk(1, 3))
    seed(farm, "debian/1")
    seed(farm, "debian/1")
    assert on_it(farm) == ["debian/1"]
    seed(farm, "debian/2")
    assert on_it(farm) == ["debian/1", "debian/2"]


def test_a_version_that_is_not_there_or_cannot_be_had_changes_nothing(farm: FarmInMemory) -> None:
    farm.add_server("s1")
    farm.import_disk("debian", disk(1))
    with pytest.raises(VersionUnknownError):
        seed(farm, "debian/7")
    with pytest.raises(MediumEmptyError, match="corral media seed /media/stick VERSION"):
        on_it(farm)
    farm.store_of("s1").remove_version(farm.version("debian/1").root)
    with pytest.raises(StoreUnreachableError):
        seed(farm, "debian/1")
    assert on_it(farm) == []
