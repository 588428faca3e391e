"""The devices that stream all the while: thirty clients with a reader each, and a guest.

Each reader compares the whole disk with its root again and again. What the timeline knows comes
from the clients' own words: whom they read from, and whether a read waits.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from demo.processes import wait_until
from demo.upgrade.timeline import Line
from demo.witness import is_listened_at, listen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from demo.console import Console
    from demo.processes import Program, Programs
    from demo.upgrade.network import Place
    from demo.witness import Guest

_SECONDS: Final = 120.0
_LOOK_SECONDS: Final = 0.25
_RATE: Final = ("--read-size", "16384", "--rate", "65536")
"""Four reads a second: thirty of them leave something of a small machine."""


@dataclass
class Device:
    """A client on a unix socket, and a reader that verifies what comes out of it."""

    name: str
    root: str
    folder: Path
    client: Path
    place: Place
    programs: Programs
    line: Line
    console: Console = field(init=False)
    _serve: Program | None = None
    _delivered: int = -1
    _unchanged: int = 0

    @property
    def disk(self) -> Path:
        """Where it serves its disk."""
        return self.folder / f"{self.name}.disk"

    @property
    def control(self) -> Path:
        """Where it says how it is."""
        return self.folder / f"{self.name}.control"

    @property
    def is_reading(self) -> bool:
        """Whether its reader was started."""
        return hasattr(self, "console")

    def log_in(self, login: Mapping[str, Any]) -> None:
        """Start the client."""
        configuration = self.folder / f"{self.name}.json"
        configuration.write_text(json.dumps({"login": login}), encoding="utf-8")
        self._serve = self.programs.start(
            f"{self.name}-client",
            [
                *(*self.place.within, str(self.client), "serve"),
                *("--config", str(configuration), "--unix", str(self.disk)),
                *("--control", str(self.control)),
            ],
        )

    def read(self) -> None:
        """Wait until it has a disk, and begin to read it."""

        def has_disk() -> bool:
            self.expect_running()
            return is_listened_at(self.disk)

        wait_until(has_disk, _SECONDS, f"{self.name} got no disk")
        words = ["verify", "--unix", str(self.disk), "--root", self.root, *_RATE]
        self.console, _ = listen(self.name, [str(self.client), *words], self.folder, self.programs)

    def expect_running(self) -> None:
        """Fail with its last words if the client has ended."""
        if self._serve is not None:
            self.programs.expect_running(self._serve)

    def status(self) -> Mapping[str, Any]:
        """Ask the client how it is."""
        with socket.socket(socket.AF_UNIX) as asking:
            asking.settimeout(_SECONDS)
            asking.connect(str(self.control))
            said = b""
            while piece := asking.recv(65536):
                said += piece
        status: Mapping[str, Any] = json.loads(said)
        return status

    def look(self, at: float) -> None:
        """Draw on its line whom it reads from now, and whether it waits."""
        status = self.status()
        current = next((one["name"] for one in status["servers"] if one["is_current"]), None)
        delivered = int(status["delivered"])
        self._unchanged = self._unchanged + 1 if delivered == self._delivered else 0
        self._delivered = delivered
        # Once may be chance: a read was under way both times that somebody looked.
        is_waiting = int(status["unanswered"]) > 0 and self._unchanged > 1
        self.line.see(at, current, is_waiting=is_waiting)


@dataclass
class Watch:
    """Looks at all devices, on a thread of its own, until it is told to stop."""

    devices: Sequence[Device]
    guest: Guest | None = None
    guest_line: Line | None = None
    began_at: float = field(default_factory=time.monotonic)
    began_on: float = field(default_factory=lambda: time.clock_gettime(time.CLOCK_REALTIME))
    """The same moment by the clock on the wall, which the farm's words are by."""
    _is_over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin."""
        if self.guest is not None:
            self.guest_line = Line("guest")
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._is_over.set()
        if self._thread is not None:
            self._thread.join()

    def now(self) -> float:
        """Give the seconds since it began."""
        return time.monotonic() - self.began_at

    def pause(self, seconds: float) -> None:
        """Let some time pass."""
        self._is_over.wait(seconds)

    def _run(self) -> None:
        while not self._is_over.wait(_LOOK_SECONDS):
            for device in self.devices:
                # A client that is gone shows in its console and its process.
                with suppress(OSError, ValueError):
                    device.look(self.now())
            if self.guest is not None and self.guest_line is not None:
                self.guest_line.see(self.now(), self.guest.console.fed_by)
