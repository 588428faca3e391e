"""Backups of a database that two releases share: made by each, restored by each."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.compat.conftest import Releases
from tests.compat.shared_farm import SharedFarm
from tests.releases import LABELS, NOTES, TAGS, Installed


class Safe:
    """Where backups go, and the key that opens them."""

    def __init__(self, farm: SharedFarm, by: Installed) -> None:
        self.farm, self.key = farm, farm.home / "backup.key"
        made = farm.ask(by, "backup", "key", str(self.key))
        farm.ask(
            by, "backup", "set", "--to", str(farm.home / "safe"), "--recipient", made["recipient"]
        )

    def take(self, by: Installed) -> Path:
        made = Path(self.farm.ask(by, "backup", "create")["path"])
        # Out of the folder, where each day has only its newest.
        return Path(shutil.copy(made, self.farm.home))

    def restore(self, file: Path, by: Installed, name: str) -> tuple[SharedFarm, Any]:
        """Restore into SQLite in a new folder, whatever the database was."""
        home = self.farm.home / name
        restored = SharedFarm(home, "", self.farm.programs)
        restored.devices = list(self.farm.devices)
        home.mkdir()
        words = ("backup", "restore", str(file), "--folder", str(restored.folder))
        return restored, self.farm.ask(by, *words, "--key", str(self.key))


@pytest.fixture
def shared(farm: SharedFarm, releases: Releases) -> SharedFarm:
    """An expanded database, on which both releases have written."""
    farm.create(releases.old)
    farm.ask(releases.new, "schema", "expand")
    farm.add_device(releases.new)
    farm.add_device(releases.old)
    return farm


def test_either_release_saves_all_and_restores_what_it_knows(
    shared: SharedFarm, releases: Releases
) -> None:
    safe = Safe(shared, releases.old)
    marks = shared.rows("SELECT what FROM release_mark ORDER BY number")
    assert marks
    labels = "SELECT count(*) FROM audit_note WHERE label = '5.0'"
    labelled = shared.rows(labels)
    by_old, by_new = safe.take(releases.old), safe.take(releases.new)
    # What the old release has saved holds what only the new one had written.
    restored, said = safe.restore(by_old, releases.new, "old-at-new")
    assert (said["schema"], said["left_out"]) == (LABELS, [])
    assert restored.rows("SELECT what FROM release_mark ORDER BY number")[: len(marks)] == marks
    assert restored.rows(labels) >= labelled
    restored.check(releases.new)
    restored.ask(releases.old, "farm", "accept", "--because", "it was lost")
    restored.add_device(releases.old)
    # The old one restores either as far as it knows it, and names the rest.
    for file in (by_old, by_new):
        restored, said = safe.restore(file, releases.old, f"{file.stem}-at-old")
        assert said["left_out"] == ["audit_note.label", "release_mark"]
        assert restored.seen().revision == NOTES
        restored.check(releases.old)
    # And can be expanded again, like any farm of the old release.
    assert restored.ask(releases.new, "schema", "expand")["step"] == LABELS
    restored.check(releases.new)


def test_a_backup_of_the_old_release_comes_up_at_the_new_one_and_can_go_back(
    farm: SharedFarm, releases: Releases
) -> None:
    farm.create(releases.old)
    safe = Safe(farm, releases.old)
    restored, said = safe.restore(safe.take(releases.old), releases.new, "by-new")
    assert said["schema"] == NOTES
    assert restored.seen().revision == LABELS, "restoring takes no contract step"
    restored.ask(releases.old, "farm", "accept", "--because", "it was lost")
    restored.add_device(releases.old)
    restored.check(releases.new)


def test_a_backup_of_a_finalised_farm_is_refused_by_the_old_release(
    shared: SharedFarm, releases: Releases
) -> None:
    safe = Safe(shared, releases.new)
    shared.ask(releases.new, "schema", "contract", "--yes")
    file = safe.take(releases.new)
    folder = shared.home / "by-old" / "farm"
    words = ("backup", "restore", str(file), "--folder", str(folder), "--key", str(safe.key))
    assert shared.refusal(releases.old, *words).code == "backup-newer"
    assert not folder.exists()
    verified = shared.ask(releases.new, "backup", "verify", str(file), "--key", str(safe.key))
    assert (verified["sound"], verified["schema"], verified["left_out"]) == (True, TAGS, [])
    # The next release, which needs more, takes it, too.
    restored, _ = safe.restore(file, releases.next, "by-next")
    restored.check(releases.next)
