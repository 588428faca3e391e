from pathlib import Path

import pytest

from corral.farm.domain.estate.errors import FarmSettingsUnusableError
from corral.farm.settings import FarmSettings

URL = "postgresql://corral@one,two/farm"


def test_records_are_in_the_folder_unless_told_otherwise(tmp_path: Path) -> None:
    settings = FarmSettings.read(tmp_path, {})
    assert settings.database_file == tmp_path / "farm.db"


def test_database_is_read_as_it_was_kept(tmp_path: Path) -> None:
    given = FarmSettings.read(tmp_path, {}).with_database(URL)
    given.settings_file.write_text(given.settings_text)
    kept = FarmSettings.read(None, {"CORRAL_FARM": str(tmp_path)})
    assert kept == given
    assert kept.database_file is None


def test_environment_goes_before_the_file(tmp_path: Path) -> None:
    given = FarmSettings.read(tmp_path, {}).with_database(URL)
    given.settings_file.write_text(given.settings_text)
    chosen = FarmSettings.read(tmp_path, {"CORRAL_DATABASE_URL": "sqlite:////elsewhere/farm.db"})
    assert chosen.database_file == Path("/elsewhere/farm.db")


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": 2, "database": "postgresql:///farm"}', '{"format": 1}']
)
def test_what_is_no_settings_file_of_ours_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "farm.json").write_text(text)
    with pytest.raises(FarmSettingsUnusableError, match=r"farm\.json"):
        FarmSettings.read(tmp_path, {})
