"""Releases on a real disk: whole or not there, whatever the kit is and whenever it is killed."""

import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest
from tests.kits import FILES, Signer, kit
from tests.small_kits import FARM, small_kit

from corral.farm.adapters.farm_folder.release_installer import ReleaseInstaller
from corral.farm.adapters.farm_folder.releases_folder import ReleasesFolder
from corral.farm.domain.errors import DomainError
from corral.farm.domain.supervision.record import Supervision
from corral.wire import kit as wire

pytestmark = pytest.mark.thorough

ROOT: Final = "ab" * 32
AT_REST: Final = Supervision(active="1.0")


def line_of(signer: Signer) -> str:
    return f"{wire.KEY_PREFIX}{signer.public_key.hex()}\n"


@dataclass
class Bench:
    """A releases folder with a list of publishers, and a store of kits."""

    path: Path
    kits: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder = ReleasesFolder(self.path)
        self.installer = ReleaseInstaller(self.folder, self.reading)
        self.folder.publishers.write_text(line_of(Signer()))

    @contextmanager
    def reading(self, root: str) -> Iterator[io.BytesIO]:
        yield io.BytesIO(self.kits[root])

    def install(
        self, release: str, content: bytes, state: Supervision = AT_REST, root: str = ROOT
    ) -> None:
        self.kits[root] = content
        self.installer(release, root, state)
        assert self.installer.is_installed(release, root)

    def refusal(self, content: bytes, release: str = "2.0", state: Supervision = AT_REST) -> str:
        """Have it refused, and see that nothing is left of it; give the code."""
        before = sorted(self.path.rglob("*"))
        with pytest.raises(DomainError) as caught:
            self.install(release, content, state, "cd" * 32)
        assert sorted(self.path.rglob("*")) == before
        assert release in caught.value.message or str(self.path) in caught.value.message
        return caught.value.code


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_release_is_laid_out_where_it_can_be_found(bench: Bench) -> None:
    bench.install("2.0", small_kit("2.0"))
    bench.install("10.0", small_kit("10.0"), root="cd" * 32)
    assert bench.folder.installed() == {"2.0": ROOT, "10.0": "cd" * 32}
    place = bench.folder.find("2.0.0")
    assert place == bench.path / "releases" / "2.0"
    assert (place / "site" / "corral" / "farm").is_dir()
    assert bench.folder.find("3.0") is None
    assert not bench.installer.is_installed("2.0", "cd" * 32)
    assert not list(bench.path.glob(".*"))


def test_nobody_is_believed_but_publishers_on_the_list(bench: Bench) -> None:
    bench.folder.publishers.write_text(line_of(Signer(2)))
    assert bench.refusal(small_kit("2.0")) == "release-untrusted"
    bench.folder.publishers.write_text("somebody\n")
    assert bench.refusal(small_kit("2.0")) == "publishers-unusable"
    bench.folder.publishers.unlink()
    assert bench.refusal(small_kit("2.0")) == "release-untrusted"


def test_the_running_release_says_by_whom_the_next_is_signed(bench: Bench) -> None:
    files = {"publishers": line_of(Signer(2)).encode()}
    first = kit(
        {**files, "corral.whl": _wheel_of(small_kit("2.0"))}, {**FARM, "release": "2.0"}, Signer()
    )
    bench.install("2.0", first)
    assert bench.refusal(small_kit("3.0"), "3.0", Supervision("2.0")) == "release-untrusted"
    bench.install("3.0", small_kit("3.0", Signer(2)), Supervision("2.0"), "cd" * 32)


def test_every_byte_is_what_was_signed(bench: Bench) -> None:
    whole = small_kit("2.0")
    flipped = bytearray(whole)
    flipped[-300] ^= 1
    for content in (whole[:-1], whole + b"x", bytes(flipped), b"CORRLKIT", os.urandom(100)):
        assert bench.refusal(content) == "release-damaged"
    assert bench.refusal(kit(FILES, {**FARM, "release": "2.0"})) == "release-damaged"


def test_a_kit_for_something_else_or_that_does_not_start_is_refused(bench: Bench) -> None:
    assert bench.refusal(kit(), "5.0") == "release-unfit"
    assert bench.refusal(small_kit("2.1")) == "release-unfit"
    assert bench.refusal(small_kit("2.0", inside="1.9")) == "release-unfit"
    assert bench.refusal(small_kit("2.0", text="raise SystemExit('broken')\n")) == "release-unfit"


def test_what_runs_is_replaced_by_nothing_of_its_number(bench: Bench) -> None:
    bench.install("2.0", small_kit("2.0"))
    again = small_kit("2.0", size=1)
    for state in (
        Supervision("2.0"),
        Supervision("1.0", previous="2.0.0"),
    ):
        assert bench.refusal(again, state=state) == "release-in-use"
    bench.install("2.0", again, root="cd" * 32)
    assert bench.folder.installed() == {"2.0": "cd" * 32}


def test_what_nobody_needs_is_taken_away(bench: Bench) -> None:
    for number in range(2, 6):
        bench.install(f"{number}.0", small_kit(f"{number}.0"))
    assert bench.installer.remove_others({"2", "4.0"}) == ["3.0", "5.0"]
    assert list(bench.folder.installed()) == ["2.0", "4.0"]


def _wheel_of(content: bytes) -> bytes:
    return content[content.index(b"PK\x03\x04") :]


# What the interpreter reports before it is done; nothing else changes a disk here.
_ACTS: Final = "open,os.rename,os.remove,os.mkdir,os.rmdir,shutil.rmtree,os.chmod,subprocess.Popen"
_CHILD: Final = """\
import os, sys
from pathlib import Path
from corral.farm.domain.supervision.record import Supervision
from tests.unit.farm.adapters.farm_folder.test_release_installer import ROOT, Bench
from tests.small_kits import small_kit

bench, left, acts = Bench(Path(sys.argv[1])), int(sys.argv[2]), set(sys.argv[3].split(","))
bench.kits = {ROOT: small_kit("2.0")}

def watch(event, arguments):
    global left
    if event in acts:
        left -= 1
        if left == 0:
            os.kill(os.getpid(), 9)

sys.addaudithook(watch)
bench.installer.remove_others({"1.0"})
bench.installer("2.0", ROOT, Supervision("1.0"))
"""


def test_killed_at_any_act_a_release_is_whole_or_not_there(
    bench: Bench, forked: Callable[[Path, str], Callable[[int], bool]]
) -> None:
    bench.install("1.0", small_kit("1.0"))
    bench.install("1.5", small_kit("1.5"))
    child = forked(bench.path, _CHILD)
    acts = 0
    while True:
        acts += 3  # each act takes a process; the others are of the same kinds
        was_killed = child(acts)
        found = bench.folder.installed()
        assert "1.0" in found
        assert set(found) <= {"1.0", "1.5", "2.0"}
        if "2.0" in found:
            site = bench.path / "releases" / "2.0" / "site"
            done = subprocess.run(
                [sys.executable, "-m", "corral.farm.entrypoints.cli"],
                check=True,
                capture_output=True,
                env={"PYTHONPATH": str(site)},
            )
            assert done.stdout == b"corral 2.0\n"
            bench.installer.remove_others({"1.0"})
        if not was_killed:
            break
    assert acts > 30, "it was killed at hardly any act"
    bench.install("2.0", small_kit("2.0"))
    left = {one.name for one in bench.path.iterdir()}
    assert left == {"publishers", "releases"}


@pytest.fixture
def forked() -> Callable[[Path, str], Callable[[int], bool]]:
    """Give what runs a text that is killed at its n-th act, and says whether it was."""
    root = Path(__file__).parents[5]

    def prepare(path: Path, text: str) -> Callable[[int], bool]:
        def run(killed_at: int) -> bool:
            done = subprocess.run(
                [sys.executable, "-c", text, str(path), str(killed_at), _ACTS],
                check=False,
                capture_output=True,
                env={**os.environ, "PYTHONPATH": f"{root / 'src'}:{root}"},
            )
            assert done.returncode in {0, -9}, done.stderr
            return done.returncode != 0

        return run

    return prepare
