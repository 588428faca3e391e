"""A server's machine: a supervisor, and the services that it runs from one release or another."""

from __future__ import annotations

import os
import shutil
import signal
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from demo.processes import wait_until
from demo.upgrade.desk import CORRAL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from demo.processes import Program, Programs
    from demo.upgrade.network import Place

_SECONDS: Final = 60.0
_SETTLE: Final = "1"
"""How long services have to run before a release has proven itself. Whole machines do it longer."""
_STOPS: Final = {"worker": 1, "api": 2, "stream": 3}


@dataclass
class Machine:
    """One server of the farm, with all that belongs to it in a folder."""

    place: Place
    folder: Path
    package: Path
    """The release that came with the machine."""
    environment: Mapping[str, str]
    programs: Programs
    _supervisor: Program | None = None
    _starts: int = field(default=0)

    @property
    def name(self) -> str:
        """Name the server."""
        return self.place.name

    @property
    def farm(self) -> Path:
        """The machine's copy of what it needs of the farm's folder."""
        return self.folder / "farm"

    @property
    def releases(self) -> Path:
        """The folder that its supervisor keeps."""
        return self.folder / "releases"

    def site_of(self, release: str) -> Path:
        """Say where a release's code lies once it is laid out."""
        return self.releases / "releases" / release / "site"

    def prepare(self, services: Sequence[Sequence[str]], publisher: str) -> None:
        """Say what the machine runs, and whose releases it lays out."""
        self.releases.mkdir(mode=0o700, parents=True)
        (self.releases / "publishers").write_text(f"{publisher}\n", encoding="utf-8")
        text = "format = 1\n"
        for words in services:
            kind = words[1]
            quoted = ", ".join(f"'{word}'" for word in words)
            text += f"\n[[service]]\nname = '{kind}'\nwords = [{quoted}]\nstops = {_STOPS[kind]}\n"
        (self.releases / "services.toml").write_text(text, encoding="utf-8")

    def start(self) -> None:
        """Switch it on: its supervisor starts everything else."""
        self._supervisor = self.programs.start(
            f"machine-{self.name}",
            [
                *(*self.place.within, *CORRAL, "serve", "supervisor"),
                *("--releases", str(self.releases), "--settle", _SETTLE),
            ],
            environment={
                **self.environment,
                "CORRAL_FARM": str(self.farm),
                "PYTHONPATH": str(self.package),
            },
        )

    def expect_running(self) -> None:
        """Fail with its last words if its supervisor ended by itself."""
        if self._supervisor is not None:
            self.programs.expect_running(self._supervisor)

    def kill(self) -> int:
        """``kill -9`` everything on it at once, as a power cut does; give how many it were."""
        pids = self.processes()
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self._supervisor is not None:
            self._supervisor.kill()
            self._supervisor = None
        wait_until(
            lambda: not any(map(_is_alive, pids)), _SECONDS, f"something on {self.name} lives on"
        )
        return len(pids)

    def processes(self) -> list[int]:
        """Give the ids of its processes, its supervisor's first."""
        if self._supervisor is None:
            return []
        children: dict[int, list[int]] = {}
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError, ValueError):
                # Behind the name, which may hold anything, stand the state and the parent.
                parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
                children.setdefault(int(parent), []).append(int(entry.name))
        found = [self._supervisor.pid]
        for pid in found:
            found += children.get(pid, [])
        return found

    def damage(self, release: str, file: str) -> Path:
        """Lose a file of a release, as a bad disk does; give where it is kept."""
        lost = self.site_of(release) / file
        kept = self.folder / lost.name
        shutil.copy2(lost, kept)
        os.truncate(lost, 0)
        return kept

    def mend(self, release: str, file: str) -> None:
        """Put the file back."""
        lost = self.site_of(release) / file
        shutil.copy2(self.folder / lost.name, lost)


def _is_alive(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False
