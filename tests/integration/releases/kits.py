"""Releases of the farm, built from this checkout: they work, die, hang, fail their test, or wait.

Most kits here have the farm's own wheel and no other: what it needs is in the environment that runs
the tests. One has them all, and a data plane of its own.
"""

import importlib
import json
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from corral.farm.application.progress import Progress
from corral.farm.bootstrap import kit_workshop
from corral.farm.domain.library.kit import written_public_key
from tests.gates import Gates

SECONDS: Final = 60.0
STREAM: Final = "corral/farm/entrypoints/stream/__main__.py"
PROGRAM: Final = "corral/farm/entrypoints/cli/program.py"
SELF_TEST: Final = "corral/farm/entrypoints/stream/self_test.py"
_FUTURE: Final = "from __future__ import annotations\n"

sys.path.insert(0, str(Path(__file__).parents[3] / "tools"))
farm_wheels = importlib.import_module("farm_wheels")


@dataclass
class Publisher:
    """Builds kits, and signs them."""

    folder: Path
    public_key: str = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir()
        self.public_key = written_public_key(kit_workshop().make_key(self.key))

    @property
    def key(self) -> Path:
        return self.folder / "publisher.key"

    @property
    def publishers(self) -> str:
        """The list that a machine is given."""
        return f"# whose kits are laid out\n{self.public_key}  # the test's\n"

    def build(self, release: str, changes: Mapping[str, str] | None = None, **facts: str) -> Path:
        """Build a kit; ``changes`` go in front of a module's text."""
        folder = self.folder / release
        folder.mkdir(exist_ok=True)
        wheel: Path = farm_wheels.write_own(folder, facts.pop("inside", release))
        if changes:
            _change(wheel, changes)
        return self._sign(release, [wheel], facts)

    def whole(self, release: str) -> Path:
        """Build a kit of all wheels, whose data plane is no other's: its file is a bit longer."""
        folder = self.folder / release
        folder.mkdir()
        wheels: list[Path] = farm_wheels.write_all(folder, release)
        (native,) = (one for one in wheels if one.name.startswith("corral_native-"))
        with zipfile.ZipFile(native) as archive:
            files = {one: archive.read(one) for one in archive.namelist()}
        with zipfile.ZipFile(native, "w") as archive:
            for name, content in files.items():
                longer = f"data plane of {release}".encode() if name.endswith(".so") else b""
                archive.writestr(name, content + longer)
        return self._sign(release, wheels, {})

    def _sign(self, release: str, wheels: list[Path], facts: Mapping[str, str]) -> Path:
        manifest = {
            "format": 1,
            "component": "farm",
            "release": release,
            "released_on": "2026-11-30",
            "document": "1",
            "publishes_image_format": 1,
            **facts,
        }
        target = self.folder / f"farm-{release}.corral-kit"
        target.unlink(missing_ok=True)
        kit_workshop().build(json.dumps(manifest), wheels, target, self.key, Progress())
        return target

    def dies(self, release: str) -> Path:
        """Give a release whose stream process ends before it can say anything."""
        return self.build(release, {STREAM: "raise RuntimeError('broken')\n"})

    def hangs(self, release: str) -> Path:
        """Give a release whose stream process runs, and never does its work."""
        return self.build(release, {STREAM: "import threading\nthreading.Event().wait()\n"})

    def misreads(self, release: str) -> Path:
        """Give a release that does not read from stores what was put there."""
        text = (
            "import corral_native\n"
            "class _Overlay:\n"
            "    @staticmethod\n"
            "    def remove(*_): pass\n"
            "    @staticmethod\n"
            "    def create(*_): raise ValueError('chunk 7 is not what it was')\n"
            "corral_native.Overlay = _Overlay\n"
        )
        return self.build(release, {SELF_TEST: text})

    def gated(self, release: str, gates: Gates) -> Path:
        """Give a release that works, and waits at gates: when it is tried, and as a stream."""
        return self.build(release, {PROGRAM: gates.text()})


def _change(wheel: Path, changes: Mapping[str, str]) -> None:
    with zipfile.ZipFile(wheel) as archive:
        files = {one: archive.read(one) for one in archive.namelist()}
    for name, text in changes.items():
        # An import of the future may stand behind it no more, and need not.
        kept = files[name].replace(_FUTURE.encode(), b"")
        files[name] = (_FUTURE + text).encode() + kept
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
