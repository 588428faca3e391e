"""Which kits an engine installs: believed, undamaged, for it, and able to start; without a farm."""

import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import corral_native as native
import pytest

from corral.engine.adapters.chunk_store import NativeChunks
from corral.engine.adapters.kit_installer import KitInstaller
from corral.engine.adapters.media import Media
from corral.engine.adapters.slots_folder import SlotsFolder
from corral.engine.domain.errors import EngineError
from corral.engine.domain.slots.errors import (
    KitDamagedError,
    KitUnfitError,
    KitUntrustedError,
    PublishersUnreadableError,
)
from corral.engine.domain.slots.record import Kit, Slot, Slots
from corral.wire import kit as wire
from tests.integration.engine.farm import FARM
from tests.integration.engine.kits import Publisher
from tests.kits import FILES, Signer, kit


@dataclass
class Bench:
    """A store, two slots, and a list of publishers."""

    path: Path
    publishers: Path

    def __post_init__(self) -> None:
        self.chunks = NativeChunks(self.path / "store", Media(()))
        self.chunks.open(FARM)
        self.folder = SlotsFolder(self.path)

    def install(self, release: str, file: Path, running: Slot | None = None) -> Slot:
        """Install a kit in the slot that does not run; give that."""
        slot = (running or Slot.A).other
        store = native.Store.open(self.path / "store", str(FARM))
        root = store.import_raw(file, native.Progress()).root
        KitInstaller(self.chunks, self.folder, running, self.publishers)(Kit(release, root), slot)
        assert self.folder.laid_out(slot) == root
        return slot

    def refusal(self, release: str, file: Path) -> EngineError:
        with pytest.raises(EngineError) as caught:
            self.install(release, file)
        assert self.folder.laid_out(Slot.B) is None
        return caught.value

    def written(self, content: bytes) -> Path:
        file = self.path / "kit"
        file.write_bytes(content)
        return file


@pytest.fixture
def bench(tmp_path: Path, publisher: Publisher) -> Bench:
    (tmp_path / "store").mkdir()
    return Bench(tmp_path, publisher.publishers)


def line_of(signer: Signer) -> str:
    return f"{wire.KEY_PREFIX}{signer.public_key.hex()}\n"


def test_a_kit_of_this_checkout_is_laid_out_and_read_again_after_a_kill(
    bench: Bench, publisher: Publisher
) -> None:
    file = publisher.works("2.0")
    # As a reader leaves it that was killed.
    version = native.Store.open(bench.path / "store", str(FARM))
    root = version.import_raw(file, native.Progress()).root
    with bench.chunks.file(root) as reading:
        assert reading.read(8) == wire.MAGIC
    slot = bench.install("2.0", file)
    site = bench.folder.site(slot)
    assert (site / "corral" / "engine" / "bootstrap.py").is_file()
    assert not (site / "corral" / "farm").exists()
    assert not list(bench.folder.files(slot).glob("*.whl"))
    # Another one takes its place.
    bench.install("2.1", publisher.works("2.1"))
    assert (site / "corral-2.1.dist-info").is_dir()
    assert not (site / "corral-2.0.dist-info").exists()


def test_nobody_is_believed_but_publishers_on_the_list(bench: Bench, tmp_path: Path) -> None:
    file = bench.written(kit())
    assert isinstance(bench.refusal("5.0", file), KitUntrustedError)
    bench.publishers = tmp_path / "none"
    assert "none of the 0 publishers" in str(bench.refusal("5.0", file))
    bench.publishers.write_text(line_of(Signer(2)))
    assert isinstance(bench.refusal("5.0", file), KitUntrustedError)
    bench.publishers.write_text("somebody\n")
    assert isinstance(bench.refusal("5.0", file), PublishersUnreadableError)


def test_every_byte_is_what_was_signed(bench: Bench, tmp_path: Path) -> None:
    bench.publishers = tmp_path / "list"
    bench.publishers.write_text(line_of(Signer()))
    whole = kit()
    for content in (whole[:-1], whole + b"x", whole[:-1] + b"x", b"CORRLKIT", os.urandom(100)):
        assert isinstance(bench.refusal("5.0", bench.written(content)), KitDamagedError)
    # Signed, and no wheel.
    assert isinstance(bench.refusal("5.0", bench.written(whole)), KitDamagedError)


def test_a_kit_for_something_else_is_refused(bench: Bench, tmp_path: Path) -> None:
    bench.publishers = tmp_path / "list"
    bench.publishers.write_text(line_of(Signer()))
    refused = bench.refusal("6.0", bench.written(kit()))
    assert isinstance(refused, KitUnfitError)
    assert "release 5.0" in refused.message
    farm = {
        "format": 1,
        "component": "farm",
        "release": "5.0",
        "released_on": "2026-11-30",
        "document": "1",
        "publishes_image_format": 1,
    }
    refused = bench.refusal("5.0", bench.written(kit(release=farm)))
    assert isinstance(refused, KitUnfitError)
    # Nothing in it that could be started.
    plain = {"notes": FILES["install"]}
    assert isinstance(bench.refusal("5.0", bench.written(kit(plain))), KitUnfitError)


def test_a_release_that_says_it_is_another_is_refused(bench: Bench, publisher: Publisher) -> None:
    # No publisher's workshop would build it as 2.2 under the wheel's own name.
    wheel = publisher.wheel("2.3")
    misnamed = wheel.rename(wheel.with_name(wheel.name.replace("2.3", "2.2")))
    refused = bench.refusal("2.2", publisher.build("2.2", misnamed))
    assert isinstance(refused, KitUnfitError)
    assert "2.3" in refused.message


def test_no_wheel_puts_a_file_elsewhere(bench: Bench, publisher: Publisher, tmp_path: Path) -> None:
    wheel = tmp_path / "bad-1-py3-none-any.whl"
    for name in ("../out", "/out", "a/../../out", "a\\..\\out"):
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr(name, b"x")
        refused = bench.refusal("2.4", publisher.build("2.4", wheel))
        assert isinstance(refused, KitDamagedError)
        assert not list(tmp_path.rglob("out"))


def test_a_kit_names_who_signs_the_next_one(
    bench: Bench, publisher: Publisher, tmp_path: Path
) -> None:
    """Rotation: the list in the running release takes the place of the one that it came with."""
    brought = tmp_path / wire.PUBLISHERS
    brought.write_text(line_of(Signer(7)))
    slot = bench.install("2.5", publisher.build("2.5", publisher.wheel("2.5"), brought))
    with pytest.raises(KitUntrustedError):
        bench.install("2.6", publisher.build("2.6", publisher.wheel("2.6")), running=slot)
    # From the release before, its own list counts.
    bench.install("2.6", publisher.folder / "engine-2.6.corral-kit")


def test_commands_are_of_the_release_in_use(bench: Bench, publisher: Publisher) -> None:
    def version() -> str:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "corral.engine.entrypoints.launcher", "--run"),
                *("--", "--state", str(bench.path), "--version"),
            ],
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    package = version()
    slot = bench.install("2.7", publisher.works("2.7"))
    assert version() == package
    bench.folder.keep(Slots(active=slot, release="2.7"))
    assert version() == "corral-engine 2.7"
    # What cannot be read is no reason to have no command.
    bench.folder.record.write_text("{")
    assert version() == package
