"""A computer of the demonstration: its engine, driven by ``corral-engine``."""

from __future__ import annotations

import os
import shutil
import signal
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx

from demo.errors import DemoError, PromiseBrokenError
from demo.processes import wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from demo.processes import Program, Programs, Runner

IMAGE: Final = "debian"
_SECONDS: Final = 300.0
_LONGEST_PATH: Final = 70
"""The path of a socket may have 107 letters, and below the folder some are needed."""


@dataclass
class Computer:
    """Its engine, in a state folder of its own."""

    name: str
    user: str
    state: Path
    _engine: Path
    _runner: Runner
    _programs: Programs
    _within: Sequence[str] = ()
    _running: list[Program] = field(default_factory=list)

    @classmethod
    def at(  # noqa: PLR0913, PLR0917 - a computer has that many parts
        cls,
        home: Path,
        name: str,
        user: str,
        engine: Path,
        runner: Runner,
        programs: Programs,
        within: Sequence[str] = (),
    ) -> Computer:
        """Prepare one; what a killed demonstration has left of it is ended and removed.

        ``within`` stands before each of its commands, and says where they run.
        """
        state = home / name
        if len(str(state)) > _LONGEST_PATH:
            message = (
                f"{state} is too long a path for sockets ({_LONGEST_PATH} letters at the most):"
                " say with --build where a shorter one is"
            )
            raise DemoError(message)
        computer = cls(name, user, state, engine, runner, programs, within)
        computer.end_machines()
        shutil.rmtree(state, ignore_errors=True)
        return computer

    def register(self, url: str, authority: Path, code: str) -> None:
        """Have it belong to a farm."""
        self._run(
            *("register", url, "--name", self.name, "--ca", str(authority)),
            what=f"registering {self.name}",
            environment={"CORRAL_ENGINE_CODE": code},
        )

    def start(self) -> None:
        """Start its agent and its disk process, and wait until it answers."""
        command = [*self._within, str(self._engine), "--state", str(self.state)]
        words = ("serve", "--status", "127.0.0.1:0", "--no-start-disks")
        agent = self._programs.start(f"{self.name}-agent", [*command, *words])
        self._running.append(agent)

        def has_store() -> bool:
            self._programs.expect_running(agent)
            return (self.state / "store" / "store.json").exists()

        wait_until(has_store, _SECONDS, f"the engine of {self.name} did not begin")
        disks = self._programs.start(f"{self.name}-disks", [*command, "disks"])
        self._running.append(disks)
        wait_until(self._answers, _SECONDS, f"the engine of {self.name} did not answer")

    def start_machine(self) -> None:
        """Have its virtual machine run."""
        self._run("machine", "start", IMAGE, what=f"starting the machine on {self.name}")

    def restart_machine(self) -> None:
        """Restart it, as its user would."""
        self._run("machine", "restart", IMAGE, what=f"restarting the machine on {self.name}")

    def check_now(self) -> None:
        """Have it ask its farm at once, however long the farm was away."""
        self._run("check-now", what=f"{self.name} asks its farm")

    def status_line(self) -> str:
        """Give what a person is told of the machine."""
        said = self._run("machine", "list", what=f"asking {self.name}")
        return said.strip().splitlines()[0]

    def machine(self) -> dict[str, Any]:
        """Give what its engine says of the machine; nothing as long as there is none."""
        found: list[dict[str, Any]] = self._status()["machines"]
        return next((one for one in found if one["name"] == IMAGE), {})

    def wait_for(self, what: str, **facts: object) -> dict[str, Any]:
        """Wait until the machine is so, and give all that is said of it."""
        last: dict[str, Any] = {}

        def is_so() -> bool:
            for program in self._running:
                self._programs.expect_running(program)
            last.clear()
            last.update(self.machine())
            return all(last.get(name) == value for name, value in facts.items())

        self._runner.watcher.doing(f"{self.name}: {what}")
        try:
            wait_until(is_so, _SECONDS, f"{self.name}: not {what}, but {_short(last)}")
        finally:
            self._runner.watcher.doing("")
        return dict(last)

    def expect(self, machine: dict[str, Any], **facts: object) -> None:
        """Fail if what was said of the machine is not so."""
        for name, value in facts.items():
            if machine[name] != value:
                message = f"{self.name}: {name} is {machine[name]!r} and not {value!r}"
                raise PromiseBrokenError(message)

    def end_machines(self) -> None:
        """End the virtual machines, which outlive their engine by design."""
        for file in self.state.glob("machines/*/pid"):
            with suppress(OSError, ValueError):
                pid = int(file.read_text("ascii"))
                words = Path(f"/proc/{pid}/cmdline").read_bytes()
                # A number may have been given to somebody else since.
                if str(self.state).encode() in words:
                    os.kill(pid, signal.SIGKILL)

    def _answers(self) -> bool:
        with suppress(httpx.HTTPError):
            return bool(self._status())
        return False

    def _status(self) -> dict[str, Any]:
        """Ask the agent as its command does, without the time that a command takes to load."""
        transport = httpx.HTTPTransport(uds=str(self.state / "run" / "agent"))
        with httpx.Client(transport=transport, base_url="http://agent", timeout=60.0) as client:
            status: dict[str, Any] = client.get("/status").json()
            return status

    def _run(self, *words: str, what: str, environment: dict[str, str] | None = None) -> str:
        command = [*self._within, str(self._engine), "--state", str(self.state), *words]
        return self._runner.run(
            "corral-engine", command, what=what, environment=environment, keeps_output=False
        )


def _short(machine: dict[str, Any]) -> str:
    names = ("state", "power", "version", "waiting_for", "problem")
    return ", ".join(f"{name} {machine.get(name)}" for name in names) if machine else "not there"
