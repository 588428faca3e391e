"""The kit of the farm's own software: the same each time, true to the code, enough to run it."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from corral.farm.adapters.sql.schema import OWN
from corral.farm.domain.library.manifest import FarmManifest, SchemaFacts, read_manifest
from tests.releases import LABELS, NEW, OLD, SOURCES, TAGS, asking_for_consoles_from, lay_out

ROOT = SOURCES.parent
TOOL = ROOT / "tools" / "farm_wheels.py"
PROMISES = {"upgrades": {"oldest": "4.0", "back_to": "4.0"}}
OWN_READABLE = "0032"
READ = "import sys; sys.path.insert(0, 'tools'); import farm_wheels, json, pathlib;"


def build(folder: Path, name: str, *more: str) -> Path:
    promises = folder / "promises.json"
    promises.write_text(json.dumps(PROMISES))
    wheels, manifest = folder / name, folder / f"{name}.json"
    words = ("--manifest", manifest, "--promises", promises, "--released-on", "2026-11-30")
    subprocess.run(
        [sys.executable, TOOL, wheels, "--release", "5.0", *words, *more],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return wheels


def corral(*words: object, site: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command of this checkout, or of nothing but a folder: no environment, no checkout."""
    isolated = [] if site is None else ["-S"]
    path = str(SOURCES if site is None else site)
    return subprocess.run(
        [sys.executable, "-s", "-P", *isolated, "-m", "corral.farm.entrypoints.cli"]
        + [str(word) for word in words],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("first"), "wheels")


def test_two_builds_give_the_same_kit(wheels: Path, tmp_path: Path) -> None:
    again = build(tmp_path, "wheels")
    key = tmp_path / "publisher.key"
    assert corral("kit", "key", key).returncode == 0
    kits = []
    for number, folder in enumerate((wheels, again)):
        kits.append(tmp_path / f"{number}.corral-kit")
        manifest = folder.with_suffix(".json")
        done = corral(
            *("kit", "build", folder, "--manifest", manifest, "--key", key, "-o", kits[-1])
        )
        assert done.returncode == 0, done.stderr
    assert kits[0].read_bytes() == kits[1].read_bytes()
    assert {one.name for one in wheels.iterdir()} == {one.name for one in again.iterdir()}


def test_what_lies_in_the_kit_is_enough_to_run_a_farm(wheels: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    for wheel in wheels.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(site)
    said = corral("--version", site=site)
    assert said.stdout == "corral 5.0\n", said.stderr
    created = corral("farm", "create", "home", "--farm", tmp_path / "farm", "--json", site=site)
    assert created.returncode == 0, created.stderr
    shown = json.loads(
        corral("schema", "show", "--farm", tmp_path / "farm", "--json", site=site).stdout
    )
    assert (shown["release"], shown["step"]) == ("5.0", OWN.head)
    loads = "import corral_native, dbos, psycopg, pyrage, corral.farm.entrypoints.http.main"
    subprocess.run(
        [sys.executable, "-s", "-P", "-S", "-c", loads],
        env={**os.environ, "PYTHONPATH": str(site)},
        check=True,
    )


def manifest_of(sources: Path, promises: dict[str, Any]) -> FarmManifest:
    """Ask the tool, in a process of its own, about other sources."""
    words = (
        f"farm_wheels.manifest('5.0', '2026-11-30', {promises!r}, pathlib.Path({str(sources)!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"{READ} print(json.dumps({words}))"],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    said = {**json.loads(done.stdout), "digest": "0" * 64}
    facts = read_manifest(json.dumps(said)).facts
    assert isinstance(facts, FarmManifest)
    return facts


def test_the_manifest_says_what_the_migrations_do(tmp_path: Path) -> None:
    new = lay_out(asking_for_consoles_from(NEW, "4.5"), tmp_path)
    facts = manifest_of(new.site, PROMISES)
    assert facts.schema == SchemaFacts(LABELS, OWN_READABLE, TAGS)
    assert str(facts.oldest_console) == "4.5"
    old = manifest_of(lay_out(OLD, tmp_path).site, PROMISES)
    assert old.schema is not None
    assert (old.schema.contracts_to, old.oldest_console) == (None, None)


def test_a_promise_against_the_code_is_refused(tmp_path: Path) -> None:
    promises = tmp_path / "promises.json"
    promises.write_text(json.dumps({"schema": {"expands_to": "0001", "readable_from": "0001"}}))
    manifest = tmp_path / "manifest.json"
    words = ("--manifest", manifest, "--promises", promises, "--released-on", "2026-11-30")
    done = subprocess.run(
        [sys.executable, TOOL, tmp_path / "wheels", *words],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "error: schema is" in done.stderr
    assert not manifest.exists()
