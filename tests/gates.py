"""Releases that wait, so that a test can kill what starts them at a moment of its choice."""

from dataclasses import dataclass
from pathlib import Path

from demo.processes import wait_until


@dataclass
class Gates:
    """Files for which a release waits; it leaves word that it stands before one."""

    folder: Path
    word: str
    """Of its command line, where it waits at the gate of that name; the other gate is ``try``."""
    within: float = 60.0

    def text(self) -> str:
        return f"""\
import os, pathlib, sys, threading
def _wait(gate):
    folder = pathlib.Path({str(self.folder)!r})
    (folder / (gate + ".reached." + str(os.getpid()))).touch()
    while not (folder / gate).exists():
        threading.Event().wait(0.05)
if "--version" in sys.argv:
    _wait("try")
elif {self.word!r} in sys.argv:
    _wait({self.word!r})
"""

    def wait_until_reached(self, gate: str) -> int:
        """Wait until somebody stands before it who did not the last time; give its process id."""
        found: list[Path] = []

        def is_reached() -> bool:
            found[:] = self.folder.glob(f"{gate}.reached.*")
            return bool(found)

        wait_until(is_reached, self.within, f"nobody comes to the gate {gate}")
        for word in found:
            word.unlink()
        return int(found[-1].suffix[1:])

    def close(self, gate: str) -> None:
        (self.folder / gate).unlink()
        for word in self.folder.glob(f"{gate}.reached.*"):
            word.unlink()

    def open(self, gate: str) -> None:
        (self.folder / gate).touch()
