"""A worker of one release has another release's own program change the schema."""

import os
from pathlib import Path

import pytest

from corral.farm.adapters.release_programs import FOLDER_VARIABLE, FolderReleasePrograms
from corral.farm.domain.library.release import Release
from corral.farm.domain.upgrade.errors import ReleaseProgramError
from tests.compat.conftest import Releases
from tests.compat.shared_farm import SharedFarm
from tests.releases import LABELS, NOTES, TAGS

FIVE = Release.parse("5.0")


@pytest.fixture
def programs_of(farm: SharedFarm, releases: Releases, tmp_path: Path) -> FolderReleasePrograms:
    farm.create(releases.old)
    place = tmp_path / "lying" / "releases" / "5.0"
    place.mkdir(parents=True)
    (place / "site").symlink_to(releases.new.site)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("CORRAL_")}
    environment[FOLDER_VARIABLE] = str(tmp_path / "lying")
    return FolderReleasePrograms(farm.folder, "4.0", environment)


def test_the_new_release_expands_and_contracts(
    farm: SharedFarm, releases: Releases, programs_of: FolderReleasePrograms
) -> None:
    assert programs_of.has(FIVE)
    assert not programs_of.has(Release.parse("6.0"))
    for _ in range(2):
        programs_of.expand(FIVE)
        assert farm.seen().revision == LABELS
    farm.add_device(releases.old)
    farm.add_device(releases.new)
    for _ in range(2):
        programs_of.contract(FIVE)
        assert farm.seen().revision == TAGS
    assert farm.refusal(releases.old, "device", "list").code == "farm-newer"
    farm.add_device(releases.new)


def test_its_steps_come_as_a_script(farm: SharedFarm, programs_of: FolderReleasePrograms) -> None:
    script = programs_of.script(FIVE, NOTES, LABELS, is_embedded=not farm.database)
    assert "CREATE TABLE release_mark" in script
    assert farm.seen().revision == NOTES


def test_why_it_could_not_is_told(farm: SharedFarm, programs_of: FolderReleasePrograms) -> None:
    with pytest.raises(ReleaseProgramError, match=r"6\.0 could not expand .*does not lie on this"):
        programs_of.expand(Release.parse("6.0"))
    farm.folder.rename(farm.folder.with_name("moved"))
    with pytest.raises(ReleaseProgramError, match=r"5\.0 could not expand .*no farm"):
        programs_of.expand(FIVE)
