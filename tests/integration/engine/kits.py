"""Releases of the engine, built from this checkout, and a computer whose agents a launcher starts.

A kit here has the engine's own wheel and no other: what the engine needs is in the environment that
runs the tests.
"""

import importlib
import json
import os
import signal
import subprocess
import sys
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from demo.processes import find_program, wait_until

from corral.engine.adapters.slots_folder import SlotsFolder
from corral.engine.domain.slots.record import Slots
from corral.farm.application.progress import Progress
from corral.farm.bootstrap import kit_workshop
from corral.farm.domain.library.kit import written_public_key
from corral.wire import engine as wire
from tests.gates import Gates
from tests.integration.engine.computer import Computer
from tests.integration.engine.farm import SECONDS, SimulatedFarm

_ROOT: Final = Path(__file__).parents[3]
_SERVE: Final = "corral/engine/entrypoints/agent/serve.py"
_PROGRAM: Final = "corral/engine/entrypoints/cli/program.py"


sys.path.insert(0, str(_ROOT / "tools"))
engine_wheels = importlib.import_module("engine_wheels")


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
    def publishers(self) -> Path:
        """The list that a computer is given."""
        path = self.folder / "publishers"
        path.write_text(f"# whose kits are installed\n{self.public_key}  # the test's\n")
        return path

    def wheel(self, release: str, changes: dict[str, str] | None = None) -> Path:
        """Build the engine's wheel; ``changes`` go in front of a module's text."""
        folder = self.folder / release
        folder.mkdir(exist_ok=True)
        wheel: Path = engine_wheels.write_own(folder, release)
        if changes:
            _change(wheel, changes)
        return wheel

    def build(self, release: str, *files: Path, **facts: object) -> Path:
        """Build a kit of files."""
        manifest = {
            "format": 1,
            "component": "engine",
            "release": release,
            "released_on": "2026-11-30",
            "document": "1",
            "runs_image_formats": [1],
            **facts,
        }
        target = self.folder / f"engine-{release}.corral-kit"
        target.unlink(missing_ok=True)
        kit_workshop().build(json.dumps(manifest), files, target, self.key, Progress())
        return target

    def works(self, release: str) -> Path:
        return self.build(release, self.wheel(release))

    def brings(self, release: str, tools: Path) -> Path:
        """Give a release that works, and brings guest tools."""
        return self.build(release, self.wheel(release), tools, brings_guest_tools="5.0")

    def tools(self, release: str, *, broken: bool = False) -> Path:
        """Make the medium of guest tools; with broken ones the guest does not come up."""
        content = self.folder / f"tools-{release}"
        content.mkdir()
        written = f"{release}x" if broken else release
        (content / "install").write_text(
            "disk=/dev/vda; before=$(($(cat /sys/class/block/vda/size) - 2))\n"
            f"echo {written} | dd of=$disk bs=512 seek=$before conv=notrunc,sync,fsync\n"
        )
        medium = self.folder / f"guest-tools-{release}.img"
        program = find_program("mke2fs", "e2fsprogs")
        words = (program, "-q", "-t", "ext4", "-d", content, medium, "4M")
        subprocess.run(words, check=True, capture_output=True)
        return medium

    def dies(self, release: str) -> Path:
        """Give a release whose agent ends before it can say anything."""
        return self.build(release, self.wheel(release, {_SERVE: "raise RuntimeError('broken')\n"}))

    def hangs(self, release: str) -> Path:
        """Give a release whose agent runs, and never does its work."""
        text = "import threading\nthreading.Event().wait()\n"
        return self.build(release, self.wheel(release, {_SERVE: text}))

    def gated(self, release: str, gates: Gates) -> Path:
        """Give a release that works, and waits at gates: when it is tried, and as an agent."""
        return self.build(release, self.wheel(release, {_PROGRAM: gates.text()}))


@dataclass
class LaunchedComputer:
    """A computer as its package sets it up: a launcher starts its agents."""

    computer: Computer
    publishers: Path
    prove_within: float = SECONDS
    launchers: int = 0

    def start(self) -> None:
        """Start the launcher, and wait until an agent answers."""
        self.launch()
        wait_until(self._answers, SECONDS, "no agent answers")

    def launch(self) -> None:
        self.launchers += 1
        computer = self.computer
        computer.agent = computer.programs.start(
            f"agent-launched-{self.launchers}",
            [
                *(sys.executable, "-m", "corral.engine.entrypoints.launcher"),
                *("--state", str(computer.state), "--prove-within", str(self.prove_within)),
                *("--", "--status", "127.0.0.1:0", "--accelerator", computer.accelerator),
                *("--publishers", str(self.publishers), "--log-format", "json"),
            ],
        )

    def stop(self) -> None:
        self.computer.stop_agent()

    def kill_launcher(self) -> None:
        """Kill the launcher, and wait until its agent has gone with it."""
        self.computer.kill_agent()
        wait_until(lambda: not self.agents(), SECONDS, "the agent outlived its launcher")

    def kill_agent(self) -> None:
        (agent,) = self.agents()
        os.kill(agent, signal.SIGKILL)
        wait_until(lambda: agent not in self.agents(), SECONDS, "the agent did not die")

    def agents(self) -> list[int]:
        return self.computer._pids(b"serve")  # noqa: SLF001 - what a computer knows of itself

    def slots(self) -> Slots:
        return SlotsFolder(self.computer.state).load()

    def kit(self) -> dict[str, Any]:
        """Give what the agent says of its release."""
        status = self.computer.status()
        kit: dict[str, Any] = {"release": status["release"], **status["kit"]}
        return kit

    def wait_for(self, **facts: object) -> dict[str, Any]:
        """Wait until what the agent says of its release is so."""
        seen: list[dict[str, Any]] = [{}]

        def is_so() -> bool:
            try:
                seen[0] = self.kit()
            except OSError:
                return False  # one agent has ended, and the next is not there yet
            return all(seen[0].get(fact) == value for fact, value in facts.items())

        try:
            wait_until(is_so, SECONDS, f"the kit is not {facts}")
        except Exception as error:
            error.add_note(json.dumps(seen[0], indent=1))
            error.add_note(self.computer.log()[-6000:])
            raise
        return seen[0]

    def _answers(self) -> bool:
        assert self.computer.agent is not None
        self.computer.programs.expect_running(self.computer.agent)
        try:
            return bool(self.computer.status())
        except OSError:
            return False


def order(farm: SimulatedFarm, release: str, kit: Path, attempt: int = 0) -> wire.KitOrder:
    """Order a release; give the order."""
    ordered = farm.kit_order(release, farm.publish(kit), attempt=attempt)
    farm.want_kit(ordered)
    return ordered


def _change(wheel: Path, changes: dict[str, str]) -> None:
    with zipfile.ZipFile(wheel) as archive:
        files = {one: archive.read(one) for one in archive.namelist()}
    for name, text in changes.items():
        # A docstring or an import of the future may stand behind it no more, and need not.
        kept = files[name].replace(b"from __future__ import annotations\n", b"")
        files[name] = b"from __future__ import annotations\n" + text.encode() + kept
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
