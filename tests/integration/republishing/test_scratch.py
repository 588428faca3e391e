"""Folders for what is not kept: held by who works in them, and gone after whoever was killed."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from corral.farm.adapters.scratch import TemporaryScratch

SECONDS: Final = 60
WORK: Final = """
import sys
from pathlib import Path
from corral.farm.adapters.scratch import TemporaryScratch
scratch = TemporaryScratch()
with scratch.beside(Path(sys.argv[1])) if sys.argv[1:] else scratch.folder("work") as folder:
    (folder / "disk").write_bytes(bytes(1 << 20))
    (folder / "more").mkdir()
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this machine has what is not kept, in this process and in others."""
    place = tmp_path / "tmp"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    monkeypatch.setenv("TMPDIR", str(place))
    return place


@contextmanager
def at_work(*target: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Have another process work in a folder; it ends well at the end of the block, if it can."""
    with subprocess.Popen(
        [sys.executable, "-c", WORK, *map(str, target)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield process, Path(process.stdout.readline().strip())
            process.communicate(timeout=SECONDS)
        finally:
            process.kill()


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait(SECONDS)


def test_what_killed_work_left_is_removed_and_what_goes_on_is_not(place: Path) -> None:
    scratch = TemporaryScratch()
    with at_work() as (killed, left), at_work() as (process, folder):
        scratch.clear()
        assert (left / "disk").stat().st_size == (folder / "disk").stat().st_size == 1 << 20
        kill(killed)
        assert left.exists()
        scratch.clear()
        assert not left.exists()
        assert (folder / "more").is_dir()
    assert process.returncode == 0
    assert list(place.iterdir()) == []


def test_work_that_begins_makes_room_first(place: Path) -> None:
    with at_work() as (process, left):
        kill(process)
    assert left.exists()
    with TemporaryScratch().folder("other") as folder:
        assert list(place.iterdir()) == [folder]
        assert folder.stat().st_mode & 0o077 == 0
    assert list(place.iterdir()) == []


def test_work_beside_a_target_makes_room_there(tmp_path: Path) -> None:
    folder = tmp_path / "exports"
    folder.mkdir()
    (folder / ".disk.raw.mine").mkdir()
    with at_work(folder / "disk.raw") as (killed, left), at_work(folder / "2.raw") as (_, other):
        kill(killed)
        assert {one.parent for one in (left, other)} == {folder}
        with TemporaryScratch().beside(folder / "3.raw") as path:
            assert set(folder.iterdir()) == {path, other, folder / ".disk.raw.mine"}
    assert list(folder.iterdir()) == [folder / ".disk.raw.mine"]


def test_where_nothing_can_be_locked_work_goes_on_and_nothing_is_removed(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refused)
    scratch = TemporaryScratch()
    with scratch.folder("work") as folder:
        scratch.clear()
        assert folder.exists()
    assert list(place.iterdir()) == []


def test_what_is_none_of_ours_is_left_alone(place: Path) -> None:
    elsewhere = place / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").touch()
    (place / "corral-scratch-link").symlink_to(elsewhere)
    (place / "corral-scratch-file").touch()
    (place / "corral-republish-1").mkdir()
    before = sorted(place.rglob("*"))
    TemporaryScratch().clear()
    assert sorted(place.rglob("*")) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to somebody else")
def test_what_another_account_left_is_left_alone(place: Path) -> None:
    theirs = place / "corral-scratch-theirs"
    theirs.mkdir()
    os.chown(theirs, 65534, 65534)
    TemporaryScratch().clear()
    assert theirs.exists()


def test_nobody_takes_a_folder_from_who_has_just_made_it(place: Path) -> None:
    """Many begin at once, and each of them clears first."""
    scratch = TemporaryScratch()

    def work(number: int) -> None:
        for _ in range(100):
            with scratch.folder(str(number)) as folder:
                (folder / "file").touch()
                scratch.clear()
                assert (folder / "file").exists()

    with ThreadPoolExecutor(8) as threads:
        for done in [threads.submit(work, number) for number in range(8)]:
            done.result()
    assert list(place.iterdir()) == []
