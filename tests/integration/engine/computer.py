"""A computer: its state folder, and the processes of its engine."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import closing, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import corral_native as native
from demo.processes import Program, Programs, wait_until

from tests.integration.engine.farm import CODE, FARM, SECONDS, SimulatedFarm

_COMMAND: Final = (sys.executable, "-m", "corral.engine.entrypoints.cli")


class _UnixConnection(HTTPConnection):
    """HTTP over a unix socket, which is closed even if nobody listens at it."""

    def __init__(self, path: Path) -> None:
        super().__init__("agent", timeout=SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


@dataclass
class Computer:
    """Its engine runs in processes of its own, as it does elsewhere."""

    logs: Path
    state: Path
    programs: Programs
    accelerator: str = "emulation"
    agent: Program | None = None
    within: tuple[str, ...] = ()
    """The words before each command: where, if not here, it is to run."""
    starts_disks: bool = True
    """Whether the agent starts the disk process where none runs."""
    _starts: int = field(default=0)

    @classmethod
    def new(cls, logs: Path) -> "Computer":
        # Paths of sockets may not be long, and those of tests are.
        state = Path(tempfile.mkdtemp(prefix="ce-"))
        logs.mkdir(parents=True, exist_ok=True)
        return cls(logs, state, Programs(logs))

    @property
    def media(self) -> Path:
        """Below which media are mounted."""
        return self.logs.parent / "media"

    def register(self, farm: SimulatedFarm) -> None:
        self.run("register", farm.url, "--name", "pc1", code=CODE)

    def start(self) -> None:
        """Start the agent, which starts the disk process."""
        self._starts += 1
        self.agent = self.programs.start(
            f"agent-{self._starts}",
            [
                *(*self.within, *_COMMAND, "--state", str(self.state)),
                *("serve", "--status", "127.0.0.1:0"),
                *("--accelerator", self.accelerator, "--log-format", "json"),
                *("--media", str(self.media)),
                *(() if self.starts_disks else ("--no-start-disks",)),
            ],
        )
        wait_until(self._answers, SECONDS, "the agent does not answer")

    def start_disks(self) -> None:
        """Start the disk process of an agent that does not start it by itself."""
        self._starts += 1
        self.programs.start(
            f"disks-{self._starts}", [*_COMMAND, "--state", str(self.state), "disks"]
        )

    def kill_agent(self) -> None:
        assert self.agent is not None
        self.agent.kill()

    def stop_agent(self) -> None:
        assert self.agent is not None
        self.programs.stop(self.agent)

    def kill_disks(self) -> None:
        """Kill the disk process, and wait until it is gone."""
        pid = self.disks_pid()
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: self.disks_pid() != pid, SECONDS, "the disk process did not die")

    def disks_pid(self) -> int | None:
        return next(iter(self._pids(b"disks")), None)

    def open_files(self) -> list[Path]:
        """Give what the agent holds open."""
        found = []
        for pid in self._pids(b"serve"):
            for entry in Path(f"/proc/{pid}/fd").iterdir():
                with suppress(FileNotFoundError):
                    found.append(entry.readlink())
        return found

    def machine_pids(self) -> list[int]:
        """Give the processes of virtual machines."""
        return self._pids(b"-no-user-config")

    def run(self, *words: str, code: str = "") -> str:
        """Run a command to its end; it must succeed."""
        status, output = self.try_to_run(*words, code=code)
        assert status == 0, output
        return output

    def try_to_run(self, *words: str, code: str = "") -> tuple[int, str]:
        """Run a command to its end, with a one-time code if there is one."""
        done = subprocess.run(
            [*self.within, *_COMMAND, "--state", str(self.state), *words],
            check=False,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            env={**os.environ, "CORRAL_ENGINE_CODE": code},
        )
        return done.returncode, done.stdout + done.stderr

    def status(self) -> dict[str, Any]:
        """Ask the agent as the command line does, without the time that it takes to load."""
        with closing(_UnixConnection(self.state / "run" / "agent")) as line:
            line.request("GET", "/status")
            status: dict[str, Any] = json.loads(line.getresponse().read())
            return status

    def machine(self, name: str = "debian") -> dict[str, Any]:
        """Give what is said of one machine; nothing of one that there is none."""
        machines = self.status()["machines"]
        return next((one for one in machines if one["name"] == name), {})

    def wait_for(self, name: str = "debian", **facts: object) -> dict[str, Any]:
        """Wait until a machine is so; give what is said of it."""
        seen: list[dict[str, Any]] = [{}]

        def is_so() -> bool:
            seen[0] = self.machine(name)
            return all(seen[0].get(fact) == value for fact, value in facts.items())

        try:
            wait_until(is_so, SECONDS, f"{name} is not {facts}")
        except Exception as error:
            error.add_note(json.dumps(seen[0], indent=1))
            error.add_note(self.log()[-6000:])
            raise
        return seen[0]

    def roots(self, farm: UUID = FARM) -> set[str]:
        """Give the versions that are in its store in full."""
        return set(native.Store.open(self.state / "store", str(farm)).versions())

    def log(self) -> str:
        logs = [*sorted(self.logs.glob("*.log")), self.state / "disks.log"]
        return "\n".join(one.read_text() for one in logs if one.exists())

    def end(self) -> None:
        """End every process that was started with this state folder."""
        self.programs.stop_all()
        for pid in (*self._pids(b"disks"), *self.machine_pids()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(
            lambda: not self.machine_pids() and self.disks_pid() is None,
            SECONDS,
            "processes of the engine are still there",
        )
        shutil.rmtree(self.state)

    def _answers(self) -> bool:
        assert self.agent is not None
        self.programs.expect_running(self.agent)
        with suppress(OSError):
            return bool(self.status())
        return False

    def _pids(self, word: bytes) -> list[int]:
        """Give the processes of this state folder that were started with a word."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdecimal():
                continue
            with suppress(OSError):
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if word in words and any(str(self.state).encode() in one for one in words):
                    found.append(int(entry.name))
        return found
