"""Kits of two releases of the farm that differ for real, made out of this checkout."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from demo import releases

if TYPE_CHECKING:
    from demo.processes import Runner

OLD: Final = releases.OLD.number
NEW: Final = releases.NEW.number

_KEY: Final = "publisher.key"
_ROOT: Final = Path(__file__).resolve().parents[2]
_DIFFERENCES: Final = {one.number: one for one in (releases.OLD, releases.NEW)}


@dataclass(frozen=True)
class Kit:
    """A release as one file, and what is in it unpacked, as a package would have installed it."""

    release: str
    file: Path
    site: Path


@dataclass(frozen=True)
class Publisher:
    """Who builds kits and signs them."""

    folder: Path
    corral: Path
    runner: Runner
    public_key: str
    """Which farms and machines are told to trust."""

    @classmethod
    def make(cls, folder: Path, corral: Path, runner: Runner) -> Publisher:
        """Make a publisher's key in a folder."""
        words = [str(corral), "kit", "key", str(folder / _KEY), "--json"]
        answer = runner.run("corral", words, what="making the publisher's key")
        return cls(folder, corral, runner, str(json.loads(answer)["public_key"]))

    def build(self, release: str) -> Kit:
        """Build the kit of a release."""
        sources, dist, site = (self.folder / release / name for name in ("sources", "dist", "site"))
        _write_sources(_DIFFERENCES[release], sources)
        promises, manifest = (self.folder / release / f"{name}.json" for name in ("says", "is"))
        promises.write_text(json.dumps({"upgrades": {"oldest": OLD, "back_to": OLD}}))
        if release == OLD:
            promises.write_text("{}")
        self._run(
            *(sys.executable, str(_ROOT / "tools" / "farm_wheels.py"), str(dist)),
            *("--release", release, "--manifest", str(manifest), "--promises", str(promises)),
            *("--released-on", "2026-11-30", "--sources", str(sources), "--only-own"),
        )
        file = self.folder / f"farm-{release}.corral-kit"
        self._run(
            *(str(self.corral), "kit", "build", str(dist), "--manifest", str(manifest)),
            *("--key", str(self.folder / _KEY), "--output", str(file)),
        )
        (wheel,) = dist.glob("*.whl")
        self._run(sys.executable, "-m", "zipfile", "-e", str(wheel), str(site))
        return Kit(release, file, site)

    def _run(self, *command: str) -> None:
        self.runner.run("kits", command, what="building a kit")


def _write_sources(difference: releases.Difference, sources: Path) -> None:
    shutil.copytree(
        _ROOT / "src" / "corral",
        sources / "corral",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    difference.write(sources, _append)


def _append(file: Path, more: str) -> None:
    with file.open("a", encoding="utf-8") as written:
        written.write(more)
