"""The two slots on a real disk, killed between any two things that are done to it."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from corral.engine.adapters.slots_folder import PACKAGE, SLOT_VARIABLE, SlotsFolder, slot_of
from corral.engine.domain.failures import StateUnusableError
from corral.engine.domain.slots.record import GivenUpKit, Kit, Slot, Slots
from corral.engine.domain.slots.stage import KitStage

pytestmark = pytest.mark.thorough

_SOURCES: Final = Path(__file__).parents[3] / "src"
ROOT: Final = "ab" * 32
KIT: Final = Kit("2.0", ROOT, 1)
RICH: Final = Slots(
    active=Slot.B,
    release="1.0",
    stage=KitStage.PROVING,
    coming=KIT,
    given_up=GivenUpKit("cd" * 32, 3, "not-healthy", "why"),
    tries=2,
    was_healthy=True,
    boot="boot",
    before="0.9",
)

# What the interpreter reports before it is done; nothing else changes a disk here.
_ACTS: Final = frozenset(
    {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree", "os.chmod"}
)
_CHILD: Final = """\
import os, sys
from pathlib import Path
from corral.engine.adapters.slots_folder import SlotsFolder
from corral.engine.domain.slots.record import Kit, Slot, Slots
from corral.engine.domain.slots.stage import KitStage

folder, left = SlotsFolder(Path(sys.argv[1])), int(sys.argv[2])
acts = set(sys.argv[3].split(","))
release = sys.argv[4]

def watch(event, arguments):
    global left
    if event in acts:
        left -= 1
        if left == 0:
            os.kill(os.getpid(), 9)

sys.addaudithook(watch)
coming = folder.begin()
(coming / "site").mkdir()
(coming / "site" / "release").write_text(release)
folder.put(Slot.B, Kit(release, release.zfill(64), 0))
folder.keep(Slots(stage=KitStage.INSTALLED, coming=Kit(release, release.zfill(64))))
"""


def install(state: Path, release: str, killed_at: int = 0) -> int:
    """Install a release in slot B in a process of its own, which is killed at one of its acts."""
    words = [str(state), str(killed_at), ",".join(sorted(_ACTS)), release]
    done = subprocess.run(
        [sys.executable, "-S", "-s", "-c", _CHILD, *words],
        check=False,
        capture_output=True,
        env={"PYTHONPATH": str(_SOURCES)},
    )
    assert done.returncode in {0, -9}, done.stderr
    return done.returncode


def test_killed_at_any_act_what_is_in_a_slot_is_whole_or_not_there(tmp_path: Path) -> None:
    folder = SlotsFolder(tmp_path)
    assert install(tmp_path, "1") == 0
    acts = 0
    while True:
        acts += 1
        release = str(acts + 1)
        was_killed = install(tmp_path, release, killed_at=acts) != 0
        root = folder.laid_out(Slot.B)
        if root is not None:
            # Whatever it is, it is all of it.
            assert (folder.site(Slot.B) / "release").read_text().zfill(64) == root
        slots = folder.load()
        if slots.coming is not None and slots.coming.release == release:
            assert root == slots.coming.root
        if not was_killed:
            break
        assert install(tmp_path, release) == 0
        assert folder.laid_out(Slot.B) == release.zfill(64)
    assert acts > 10, "it was killed at hardly any act"
    assert sorted(one.name for one in folder.path.iterdir()) == ["b", "state.json"]


def test_a_record_is_read_back_as_it_was_kept(tmp_path: Path) -> None:
    SlotsFolder(tmp_path).keep(RICH)
    assert SlotsFolder(tmp_path).load() == RICH
    assert SlotsFolder(tmp_path / "nothing").load() == Slots()


def test_what_a_later_release_wrote_beside_it_stays(tmp_path: Path) -> None:
    """The launcher may be years older than the agents that it starts."""
    folder = SlotsFolder(tmp_path)
    folder.keep(RICH)
    text = folder.record.read_text().replace('"tries"', '"mood": "good", "tries"')
    folder.record.write_text(text)
    folder.keep(replace(folder.load(), tries=3))
    assert '"mood": "good"' in folder.record.read_text()
    assert folder.load().tries == 3


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"slots": {"active": "c"}}', "\0"])
def test_a_record_that_cannot_be_read_is_set_aside_and_kept(tmp_path: Path, text: str) -> None:
    folder = SlotsFolder(tmp_path)
    folder.keep(RICH)
    folder.record.write_text(text)
    with pytest.raises(StateUnusableError):
        folder.load()
    folder.set_aside()
    assert folder.load() == Slots()
    assert folder.record.with_suffix(".unreadable").read_text() == text


def test_an_agent_knows_from_what_it_was_started() -> None:
    assert slot_of({}) == (False, None)
    assert slot_of({SLOT_VARIABLE: PACKAGE}) == (True, None)
    assert slot_of({SLOT_VARIABLE: "b"}) == (True, Slot.B)
