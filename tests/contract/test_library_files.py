"""Files for the library, on a disk and in memory."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from corral.farm.adapters.farm_folder.farm_key import is_signed
from corral.farm.adapters.library_files.files import FolderLibraryFiles
from corral.farm.application.ports.library import LibraryFiles
from corral.farm.application.progress import Progress
from corral.farm.domain.errors import DomainError
from corral.farm.domain.image.errors import WorkCancelledError
from corral.farm.domain.library.errors import (
    FileOtherKindError,
    FileUnfinishedError,
    KitDamagedError,
    KitUntrustedError,
    LibraryFileExistsError,
    LibraryFileUnusableError,
    LibraryFolderFullError,
    ManifestInvalidError,
)
from corral.farm.domain.library.item import ItemKind
from tests.farm_in_memory import MemoryPorts
from tests.kits import ENGINE, FILES, Signer, kit

TRUSTED = Signer().trusted
ISO = bytes(0x8001) + b"CD001" + bytes(4096)


class Files:
    """A folder with files, and what looks at them."""

    def __init__(
        self, port: LibraryFiles, folder: Path, write: Callable[[Path, bytes], None]
    ) -> None:
        self.port = port
        self.folder = folder
        self._write = write

    def put(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        self._write(path, content)
        return path

    def check(self, path: Path, kind: ItemKind = ItemKind.KIT) -> None:
        with self.port.checked(path, kind, TRUSTED, Progress()):
            pass


def written(path: Path, content: bytes) -> None:
    """Write a file long ago; write to it again now."""
    was_there = path.exists()
    path.write_bytes(content)
    if not was_there:
        os.utime(path, (1_000_000_000, 1_000_000_000))


@pytest.fixture(params=["memory", "folder"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Files:
    if request.param == "folder":
        folder = FolderLibraryFiles(is_signed)
        return Files(folder, tmp_path, written)
    ports = MemoryPorts()
    return Files(ports.library_files, Path("/import"), ports.files.__setitem__)


def test_a_sound_kit_is_lent_as_it_is(files: Files) -> None:
    content = kit()
    path = files.put("engine.corral-kit", content)
    with files.port.checked(path, ItemKind.KIT, TRUSTED, Progress()) as checked:
        assert checked.raw.size_bytes == len(content)
        assert checked.kit is not None
        assert checked.kit.kit.name == "engine-5.0"
        assert [one.name for one in checked.kit.kit.files] == list(FILES)
        assert checked.kit.publisher in TRUSTED
    assert files.port.look(path, {}).publisher is None


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (kit(signer=Signer(2)), KitUntrustedError),
        (kit()[:-1] + b"?", KitDamagedError),
        (kit()[:-1], FileUnfinishedError),
        (kit()[:700], FileUnfinishedError),
        (kit() + b"\0", KitDamagedError),
        (kit()[:200] + bytes(4) + kit()[204:], KitDamagedError),
        (ISO, FileOtherKindError),
        (b"", FileOtherKindError),
        (kit(release={**ENGINE, "release": "five"}), ManifestInvalidError),
        (kit(format=2), ManifestInvalidError),
        (kit(release={**ENGINE, "runs_image_format": [1]}), ManifestInvalidError),
    ],
)
def test_what_is_not_a_sound_and_signed_kit_is_refused(
    files: Files, content: bytes, error: type[DomainError]
) -> None:
    path = files.put("engine.corral-kit", content)
    with pytest.raises(error) as refusal:
        files.check(path)
    assert str(path) in refusal.value.message or error is ManifestInvalidError


def test_a_disc_image_is_recognised_by_its_beginning(files: Files) -> None:
    files.check(files.put("tools.iso", ISO), ItemKind.MEDIA)
    with pytest.raises(FileOtherKindError, match="is no media"):
        files.check(files.put("kit", kit()), ItemKind.MEDIA)


def test_a_file_must_not_change_while_it_is_taken(files: Files) -> None:
    path = files.put("engine.corral-kit", kit())
    with (
        pytest.raises(FileUnfinishedError, match="written to while"),
        files.port.checked(path, ItemKind.KIT, TRUSTED, Progress()),
    ):
        files.put("engine.corral-kit", kit()[:-1] + b"?")


def test_a_folder_says_what_each_file_is(files: Files) -> None:
    for name, content in {
        "b-good": kit(),
        "a-unsigned": kit(signer=Signer(2)),
        "c-half": kit()[:-5],
        "d.iso": ISO,
        "e-text": b"hello",
        "f-odd": kit(release={**ENGINE, "release": "five"}),
        ".partial": kit(),
    }.items():
        files.put(name, content)
    found = files.port.seen(files.folder, TRUSTED)
    assert [(one.path.name, one.kind, one.problem and one.problem.code) for one in found] == [
        ("a-unsigned", ItemKind.KIT, "kit-untrusted"),
        ("b-good", ItemKind.KIT, None),
        ("c-half", ItemKind.KIT, "library-file-unfinished"),
        ("d.iso", ItemKind.MEDIA, None),
        ("e-text", None, None),
        ("f-odd", ItemKind.KIT, "manifest-invalid"),
    ]


def test_a_file_that_is_not_there_is_named(files: Files) -> None:
    with pytest.raises(LibraryFileUnusableError, match="no such file"):
        files.port.look(files.folder / "none", TRUSTED)
    with pytest.raises(LibraryFileUnusableError):
        files.check(files.folder / "none")


def test_links_folders_and_pipes_are_no_files_to_import(tmp_path: Path) -> None:
    files = FolderLibraryFiles(is_signed)
    (tmp_path / "kit").write_bytes(kit())
    (tmp_path / "link").symlink_to(tmp_path / "kit")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    found = {one.path.name: one.problem for one in files.seen(tmp_path, TRUSTED)}
    assert found.pop("kit") is None
    assert set(found) == {"link", "folder", "pipe"}
    assert {one and one.code for one in found.values()} == {"library-file-unusable"}
    with pytest.raises(LibraryFileUnusableError):
        files.seen(tmp_path / "none", TRUSTED)


def test_a_check_ends_when_it_is_cancelled(tmp_path: Path) -> None:
    path = tmp_path / "kit"
    path.write_bytes(kit())
    progress = Progress()
    progress.cancel()
    with (
        pytest.raises(WorkCancelledError),
        FolderLibraryFiles(is_signed).checked(path, ItemKind.KIT, TRUSTED, progress),
    ):
        pytest.fail("it went on")


def test_what_the_lent_file_is_does_not_hang_on_its_name(tmp_path: Path) -> None:
    path = tmp_path / "kit"
    written(path, kit())
    lent = FolderLibraryFiles(is_signed).checked(path, ItemKind.KIT, TRUSTED, Progress())
    checked = lent.__enter__()
    path.rename(tmp_path / "other")
    path.write_bytes(b"something else")
    assert checked.raw.path.read_bytes() == kit()
    os.utime(tmp_path / "other")
    with pytest.raises(FileUnfinishedError):
        lent.__exit__(None, None, None)


def test_a_file_that_comes_is_there_once_it_is_whole(files: Files) -> None:
    content = kit()
    coming = files.port.receive(files.folder, "five.kit", len(content))
    coming.write(content[:100])
    assert files.port.seen(files.folder, TRUSTED) == []
    coming.write(content[100:])
    coming.finish()
    coming.abandon()
    (seen,) = files.port.seen(files.folder, TRUSTED)
    assert (seen.path, seen.size_bytes, seen.problem) == (coming.path, len(content), None)
    with pytest.raises(LibraryFileExistsError):
        files.port.receive(files.folder, "five.kit", 1)
    given_up = files.port.receive(files.folder, "six.kit", 1)
    given_up.write(b"x")
    given_up.abandon()
    again = files.port.receive(files.folder, "six.kit", 1)
    files.put("six.kit", b"somebody else's")
    with pytest.raises(LibraryFileExistsError):
        again.finish()
    assert len(files.port.seen(files.folder, TRUSTED)) == 2


def test_what_a_killed_upload_left_goes_and_what_comes_stays(tmp_path: Path) -> None:
    port = FolderLibraryFiles(is_signed)
    (tmp_path / ".left.part").write_bytes(b"half")
    (tmp_path / ".profile").write_bytes(b"mine")
    coming = port.receive(tmp_path, "one.kit", 1)
    with pytest.raises(LibraryFileExistsError):
        port.receive(tmp_path, "one.kit", 1)
    assert sorted(one.name for one in tmp_path.iterdir()) == [".one.kit.part", ".profile"]
    with pytest.raises(LibraryFolderFullError):
        port.receive(tmp_path, "huge.kit", 1 << 60)
    with pytest.raises(LibraryFileUnusableError):
        port.receive(tmp_path / "missing", "one.kit", 1)
    coming.abandon()
    assert [one.name for one in tmp_path.iterdir()] == [".profile"]
