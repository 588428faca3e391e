"""``corral library`` and ``corral kit``."""

import json
import re
import stat
from pathlib import Path

import pytest
from tests.kits import ENGINE, Signer, kit
from tests.unit.farm.entrypoints.cli.conftest import CommandLine, run

from corral.farm.domain.library.kit import written_public_key

KEY = written_public_key(Signer().public_key)
FOLDER = Path("/import")


def code_of(err: str) -> str:
    return err.rpartition("code: ")[2].strip()


@pytest.fixture
def library(corral: CommandLine) -> CommandLine:
    corral.farm.add_server("s1")
    corral.farm.application.set_library_folder(FOLDER)
    corral("library", "trust", "add", "acme", KEY)
    return corral


def test_the_life_of_a_kit(library: CommandLine) -> None:
    files = library.farm.ports.files
    files[FOLDER / "five.corral-kit"] = kit()
    files[FOLDER / "other.corral-kit"] = kit(signer=Signer(2))
    told = library("library", "folder").out
    assert "five.corral-kit" in told
    assert "was signed by nobody that the farm trusts" in told
    offered = library("library", "folder", "--json").json["files"]
    assert [one["offered"] for one in offered] == [True, False]

    said = library("library", "import", "five.corral-kit")
    assert said.out.strip() == "engine-5.0 is available, 196 KiB, signed by acme"
    (task,) = library("task", "list", "--all", "--json").json
    assert (task["kind"], task["state"], task["object"]) == ("library", "done", "five.corral-kit")
    assert "acme" in library("library", "list").out
    shown = library("library", "show", "engine-5.0").out
    assert re.search(r"^runs image formats +1, 2$", shown, re.MULTILINE)
    assert library("library", "show", "engine-5.0", "--json").json["kit"]["release"][
        "runs_image_formats"
    ] == [1, 2]
    taken = library("library", "import", "five.corral-kit")
    assert (taken.code, code_of(taken.err)) == (1, "library-item-taken")

    kept = library("library", "trust", "remove", "acme")
    assert code_of(kept.err) == "publisher-in-use"
    assert library("library", "remove", "engine-5.0", "--json").code == 2
    asked = library("library", "remove", "engine-5.0", typed="n\n")
    assert asked.code != 0
    assert library("library", "remove", "engine-5.0", "--yes").out.startswith("engine-5.0 was")
    assert "the library is empty" in library("library", "list").out
    assert library("library", "trust", "remove", "acme").code == 0
    assert "believes nobody" in library("library", "trust", "list").out


def test_what_is_wrong_with_a_kit_is_told(library: CommandLine) -> None:
    files = library.farm.ports.files
    for name, content, code, ending in (
        ("flipped", kit()[:-1] + b"?", "kit-damaged", 5),
        ("unsigned", kit(signer=Signer(2)), "kit-untrusted", 1),
        ("half", kit()[:-5], "library-file-unfinished", 4),
        ("text", b"hello", "library-other-kind", 1),
    ):
        files[FOLDER / name] = content
        said = library("library", "import", name)
        assert (said.code, code_of(said.err)) == (ending, code), said.err
    said = library("library", "import", "none")
    assert (said.code, code_of(said.err)) == (6, "library-file-unusable")
    wrong = library("library", "trust", "add", "zoo", "AAAA")
    assert code_of(wrong.err) == "publisher-key-invalid"
    assert code_of(library("library", "show", "engine-9").err) == "library-item-unknown"


MANIFEST = {name: value for name, value in ENGINE.items() if name != "digest"}


class Workbench:
    """A folder in which kits are built."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = folder / "dist"
        self.files.mkdir()
        (self.files / "engine.whl").write_bytes(b"wheel")
        (self.files / "install").write_bytes(b"#!/bin/sh\n")
        (self.files / "install").chmod(0o755)
        (self.files / ".hidden").write_bytes(b"no part of it")
        self.manifest = folder / "engine-5.0.json"
        self.manifest.write_text(json.dumps(MANIFEST))
        self.key = folder / "publisher.key"
        self.kit = folder / "engine-5.0.corral-kit"
        self.public_key = run("kit", "key", str(self.key), "--json").json["public_key"]

    def build(self, *more: str) -> tuple[int, str]:
        words = ["kit", "build", *(more or (str(self.files),)), "--manifest", str(self.manifest)]
        said = run(*words, "--key", str(self.key), "--output", str(self.kit))
        return said.code, code_of(said.err) if said.err else said.out


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return Workbench(tmp_path)


def test_a_kit_that_was_built_is_taken_by_a_farm_that_trusts_its_publisher(
    bench: Workbench, corral: CommandLine
) -> None:
    code, said = bench.build()
    assert code == 0
    assert said.startswith("engine-5.0 is in ")
    shown = run("kit", "show", str(bench.kit), "--json").json
    assert (shown["name"], shown["trusted"]) == ("engine-5.0", False)
    assert [(one["name"], one["executable"]) for one in shown["kit"]["files"]] == [
        ("engine.whl", False),
        ("install", True),
    ]
    assert "file engine.whl" in run("kit", "show", str(bench.kit)).out
    corral.farm.add_server("s1")
    corral.farm.ports.files[FOLDER / "five"] = bench.kit.read_bytes()
    corral.farm.application.set_library_folder(FOLDER)
    assert code_of(corral("library", "import", "five").err) == "kit-untrusted"
    corral("library", "trust", "add", "acme", bench.public_key)
    assert corral("library", "import", "five").code == 0


def test_a_publishers_key_is_its_owners_alone(bench: Workbench) -> None:
    assert stat.S_IMODE(bench.key.stat().st_mode) == 0o600
    again = run("kit", "key", str(bench.key))
    assert (again.code, code_of(again.err)) == (6, "kit-key-unusable")
    assert bench.public_key.removeprefix("corral-publisher-") not in bench.key.read_text()
    bench.key.chmod(0o644)
    assert bench.build() == (6, "kit-key-unusable")


def test_what_cannot_become_a_kit_is_refused(bench: Workbench) -> None:
    (bench.files / "folder").mkdir()
    assert bench.build() == (1, "kit-source-invalid")
    (bench.files / "folder").rmdir()
    (bench.files / "a b").write_bytes(b"")
    assert bench.build() == (1, "kit-source-invalid")
    (bench.files / "a b").unlink()
    other = bench.folder / "install"
    other.write_bytes(b"other")
    assert bench.build(str(bench.files), str(other)) == (1, "kit-source-invalid")
    assert bench.build(str(bench.folder / "none")) == (1, "kit-source-invalid")
    bench.manifest.write_text(json.dumps({**MANIFEST, "digest": "ab" * 32}))
    assert bench.build() == (1, "manifest-invalid")
    bench.manifest.write_text(json.dumps({**MANIFEST, "release": "five"}))
    assert bench.build() == (1, "manifest-invalid")
    bench.manifest.write_text(json.dumps(MANIFEST))
    for name in ("corral-4.9-py3-none-any.whl", "corral_engine-5.0.1-py3-none-any.whl"):
        (bench.files / name).write_bytes(b"another release")
        assert bench.build() == (1, "kit-source-invalid")
        (bench.files / name).unlink()
    (bench.files / "corral-5.0.0-py3-none-any.whl").write_bytes(b"this release")
    assert not bench.kit.exists()
    assert bench.build()[0] == 0
    assert bench.build() == (1, "kit-exists")
    assert not [one for one in bench.folder.iterdir() if "partial" in one.name]
