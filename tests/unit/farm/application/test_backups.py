"""Backups over records in memory: where they go, what rolls up, what is listed and noted."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.farm_in_memory import FarmInMemory, disk
from tests.unit.farm.application.test_task_kinds import Around

from corral.farm.application.create_backup import BackupWish
from corral.farm.application.progress import Progress
from corral.farm.application.set_backups import BackupRulesWish
from corral.farm.application.work_on_task import Finished
from corral.farm.domain.backup.backup import Backup, BackupRules, Recipient
from corral.farm.domain.backup.errors import (
    BackupRulesChangedError,
    BackupUnknownError,
    BackupUnsetError,
    RecipientInvalidError,
)
from corral.farm.domain.image.errors import StoreUnreachableError
from corral.farm.domain.task.task import TaskKind

FOLDER = Path("/backups")
RULES = BackupRulesWish(FOLDER, (Recipient("age1somebody"),), daily=2, weekly=0, monthly=0)


@pytest.fixture
def nightly(farm: FarmInMemory) -> FarmInMemory:
    """A farm that keeps the backups of two days."""
    farm.application.set_backups(RULES)
    return farm


def back_up(farm: FarmInMemory, folder: Path | None = None) -> Backup:
    created = farm.application.create_backup(BackupWish(folder), Progress()).backup
    farm.wait(86_400)
    return created


def known(farm: FarmInMemory) -> set[Path]:
    views = farm.application.list_backups().backups
    return {one.path for one in views if one.backup is not None}


def test_each_backup_rolls_up_those_that_are_not_kept(nightly: FarmInMemory) -> None:
    first, second = back_up(nightly), back_up(nightly)
    files = nightly.ports.backup_files.written
    assert set(files) == {first.path, second.path}
    created = nightly.application.create_backup(BackupWish(), Progress())
    assert created.rolled_up == (first,)
    assert set(files) == known(nightly) == {second.path, created.backup.path}


def test_the_newest_verified_one_outlives_its_days(nightly: FarmInMemory) -> None:
    first = back_up(nightly)
    assert nightly.application.note_verified_backup(first.id)
    for _ in range(4):
        back_up(nightly)
    assert first.path in nightly.ports.backup_files.written
    assert len(nightly.ports.backup_files.written) == 3


def test_what_somebody_else_took_away_protects_nothing_and_is_forgotten(
    nightly: FarmInMemory,
) -> None:
    first, second = back_up(nightly), back_up(nightly)
    nightly.application.set_backups(BackupRulesWish(daily=1))
    nightly.ports.backup_files.remove(second.path)
    assert nightly.application.roll_up_backups() == ()
    assert known(nightly) == {first.path}
    nightly.ports.backup_files.remove(first.path)
    with pytest.raises(BackupUnknownError):
        nightly.application.list_backups.newest()


def test_damaged_backups_take_no_sound_one_s_place_and_are_left_to_people(
    nightly: FarmInMemory,
) -> None:
    first, second = back_up(nightly), back_up(nightly)
    files = nightly.ports.backup_files
    files.damaged.add(second.path)
    third, fourth = back_up(nightly), back_up(nightly)
    assert set(files.written) == {second.path, third.path, fourth.path}
    files.damaged |= {third.path, fourth.path}
    nightly.wait(90 * 86_400)
    assert nightly.application.roll_up_backups() == ()
    assert known(nightly) == {second.path, third.path, fourth.path}
    assert first.path not in files.written


def test_a_folder_that_is_not_mounted_forgets_nothing(nightly: FarmInMemory) -> None:
    backups = {back_up(nightly).path, back_up(nightly).path}
    seen = dict(nightly.ports.backup_files.written)
    nightly.ports.backup_files.written.clear()
    nightly.wait(90 * 86_400)
    assert nightly.application.roll_up_backups() == ()
    assert known(nightly) == backups
    nightly.ports.backup_files.written.update(seen)
    assert nightly.application.list_backups.newest() in backups


def test_a_dry_run_only_tells(nightly: FarmInMemory) -> None:
    first, second = back_up(nightly), back_up(nightly)
    nightly.application.set_backups(BackupRulesWish(daily=1))
    assert nightly.application.roll_up_backups(is_dry_run=True) == (first,)
    assert set(nightly.ports.backup_files.written) == {first.path, second.path}


def test_other_folders_and_other_files_are_left_alone(nightly: FarmInMemory) -> None:
    files = nightly.ports.backup_files
    elsewhere = back_up(nightly, Path("/elsewhere"))
    strange = FOLDER / "strange.corral-backup"
    files.written[strange] = replace(files.written[elsewhere.path])
    for _ in range(4):
        back_up(nightly)
    assert {elsewhere.path, strange} <= set(files.written)
    views = {one.path: one for one in nightly.application.list_backups().backups}
    assert views[strange].backup is None
    assert views[elsewhere.path].backup == elsewhere


def test_a_farm_says_what_it_lacks(farm: FarmInMemory) -> None:
    for wish in (BackupWish(), BackupWish(FOLDER), BackupWish(None, (Recipient("age1a"),))):
        with pytest.raises(BackupUnsetError):
            farm.application.create_backup(wish, Progress())
    with pytest.raises(RecipientInvalidError):
        farm.application.set_backups(BackupRulesWish(recipients=(Recipient("me"),)))
    assert farm.application.list_backups().rules == BackupRules()
    with pytest.raises(BackupRulesChangedError):
        farm.application.set_backups(RULES, revision=7)


def test_chunks_that_nobody_gives_leave_no_backup_behind(nightly: FarmInMemory) -> None:
    nightly.add_server("s1")
    version = nightly.import_disk("debian", disk(1)).version
    nightly.store_of("s1").remove_version(version.root)
    with pytest.raises(StoreUnreachableError):
        nightly.application.create_backup(BackupWish(with_chunks=True), Progress())
    assert nightly.ports.backup_files.written == {}
    assert known(nightly) == set()


def test_a_stranger_is_not_noted_as_verified(nightly: FarmInMemory) -> None:
    other = FarmInMemory()
    other.application.set_backups(RULES)
    nightly.wait(5)
    strange = replace(back_up(other), id=other.ports.ids.new())  # type: ignore[arg-type] # any id
    assert not nightly.application.note_verified_backup(strange.id)


def test_a_task_of_a_backup_tells_what_it_made_and_what_it_rolled_up(
    nightly: FarmInMemory,
) -> None:
    first = back_up(nightly)
    back_up(nightly)
    task = nightly.application.start_task(TaskKind.BACKUP.value, {})
    assert (task.request.object, task.request.server) == ("home", None)
    around = Around()
    ending = nightly.application.run_task(task, around)
    newest = nightly.application.list_backups.newest()
    assert ending == Finished(f"backed up as {newest.name}, {_size(nightly, newest)} bytes")
    assert around.lines == [f"{first.name} was rolled up"]


def _size(farm: FarmInMemory, path: Path) -> int:
    return farm.ports.backup_files.written[path].size_bytes
