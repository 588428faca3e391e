"""The device's end of a stream: corral-target, and the reader that verifies what it gives."""

import json
import re
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from demo.processes import Program, Programs, wait_until

TARGET: Final = str(Path(__file__).parents[3] / "build" / "corral-target")
_PASS: Final = re.compile(r"^verify pass=\d+ root=(\w+) .* errors=(\d+) ", re.MULTILINE)
_ERROR: Final = re.compile(r"^verify error offset=(\d+) length=(\d+) reason=(.*)$", re.MULTILINE)
_SECONDS: Final = 60.0


@dataclass(frozen=True)
class Reading:
    """What a verifying reader has printed so far."""

    output: str
    verdicts: tuple[str, ...] = field(init=False)
    """One a pass: ok, wrong, or unreadable."""
    errors: tuple[tuple[int, int, str], ...] = field(init=False)
    """Offset, length and reason of each read that failed."""

    def __post_init__(self) -> None:
        passes = _PASS.findall(self.output)
        object.__setattr__(self, "verdicts", tuple(verdict for verdict, _ in passes))
        failed = ((int(at), int(length), why) for at, length, why in _ERROR.findall(self.output))
        object.__setattr__(self, "errors", tuple(failed))


@dataclass
class Reader:
    """Reads and verifies the whole disk over and over."""

    program: Program

    def reading(self) -> Reading:
        """Give what it has found so far."""
        return Reading(self.program.log.read_text())

    def go_on_for(self, passes: int) -> None:
        """Wait for so many more passes; all there were must be right, and no read may fail."""
        goal = len(self.reading().verdicts) + passes
        wait_until(
            lambda: len(self.reading().verdicts) >= goal or not self.program.is_running(),
            _SECONDS,
            "the reader did not go on",
        )
        seen = self.reading()
        assert not seen.errors
        assert set(seen.verdicts) == {"ok"}, seen.output
        assert self.program.is_running(), seen.output


@dataclass
class Client:
    """A corral-target that serves the stream on a unix socket."""

    program: Program
    disk: Path
    control: Path
    _programs: Programs
    _readers: list[Program] = field(default_factory=list)

    @classmethod
    def start(  # noqa: PLR0913, PLR0917 - what a client is started with
        cls,
        programs: Programs,
        folder: Path,
        name: str,
        configuration: Mapping[str, Any],
        error_patience: int = 3600,
        options: Sequence[str] = (),
    ) -> "Client":
        """Start it with a login answer, or with how to log in; wait until it serves."""
        config = folder / f"{name}.json"
        config.touch(mode=0o600)
        config.write_text(json.dumps(configuration))
        disk, control = folder / f"{name}.nbd", folder / f"{name}.control"
        for old in (disk, control):
            old.unlink(missing_ok=True)
        program = programs.start(
            name,
            [
                *(TARGET, "serve", "--config", str(config), "--unix", str(disk)),
                *("--control", str(control), "--error-patience", str(error_patience), *options),
            ],
        )

        def serves() -> bool:
            programs.expect_running(program)
            return _is_listened_at(disk) and _is_listened_at(control)

        wait_until(serves, _SECONDS, f"{name} did not serve")
        return cls(program, disk, control, programs)

    def current_server(self) -> str | None:
        """Name the server that it reads from."""
        return next((str(one["name"]) for one in self._servers() if one["is_current"]), None)

    def servers(self) -> list[str]:
        """Name those that it knows, best first."""
        return [str(one["name"]) for one in self._servers()]

    def _servers(self) -> Sequence[Mapping[str, Any]]:
        done = subprocess.run(
            [TARGET, "status", "--control", self.control],
            check=True,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
        )
        servers: Sequence[Mapping[str, Any]] = json.loads(done.stdout)["servers"]
        return servers

    def read_once(self, root: str) -> Reading:
        """Read the whole disk and compare it with ``root``."""
        done = subprocess.run(
            [TARGET, "verify", "--unix", self.disk, "--root", root, "--passes", "1"],
            check=False,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
        )
        reading = Reading(done.stdout)
        assert len(reading.verdicts) == 1, done.stdout + done.stderr
        assert (done.returncode == 0) == (reading.verdicts == ("ok",))
        return reading

    def read_forever(self, root: str, rate: int | None = None) -> Reader:
        """Have the disk read until ``end``, at most ``rate`` bytes a second."""
        command = [TARGET, "verify", "--unix", str(self.disk), "--root", root]
        if rate is not None:
            command += ["--rate", str(rate)]
        name = f"{self.program.name}-reader"
        (self._programs.logs / f"{name}.log").unlink(missing_ok=True)
        reader = self._programs.start(name, command)
        self._readers.append(reader)
        return Reader(reader)

    def end(self) -> None:
        """End it, and what reads from it: a reader without a client would fail for ever."""
        for reader in self._readers:
            self._programs.stop(reader)
        self._programs.stop(self.program)


def _is_listened_at(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0
