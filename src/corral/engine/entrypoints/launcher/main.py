"""Start the agent of the chosen slot, watch over one on trial, and start the next."""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from corral.engine.adapters.clock import SystemClock
from corral.engine.adapters.slots_folder import PACKAGE, SLOT_VARIABLE, SlotsFolder
from corral.engine.domain.errors import EngineError
from corral.engine.domain.failures import StateUnusableError
from corral.engine.domain.slots.record import Slots, begin_start, overdue

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

PROVE_SECONDS: Final = 300.0
_LOOK_SECONDS: Final = 0.5
_PAUSE_SECONDS: Final = 1.0
_STATE: Final = Path("/var/lib/corral-engine")
_STATE_VARIABLE: Final = "CORRAL_ENGINE_STATE"
_ENVIRONMENT_FAULT: Final = 6
_KILLED_WITH_PARENT: Final = 1
"""PR_SET_PDEATHSIG."""
_libc: Final = ctypes.CDLL(None, use_errno=True)


@dataclass
class Launcher:
    """One computer's agents, one after the other."""

    state: Path
    words: Sequence[str]
    """What agents are started with."""
    prove_seconds: float = PROVE_SECONDS
    _told: threading.Event = field(default_factory=threading.Event)
    _agent: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self._folder = SlotsFolder(self.state)
        self._boot = SystemClock().now().boot

    def __call__(self) -> int:
        """Run until told to stop, or until an agent that is not to be replaced has ended."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        while True:
            slots = self._begin()
            code = self._run(slots)
            if self._told.is_set():
                return code
            if not self._load().changes_agents:
                # Whoever started this starts it again, if that is wanted.
                return code if code >= 0 else 128 - code
            if code:
                self._told.wait(_PAUSE_SECONDS)

    def _begin(self) -> Slots:
        """Decide from what the next agent is started, and write it down first."""
        slots = self._load()
        laid_out = self._folder.laid_out(slots.active.other)
        after = begin_start(slots, laid_out=laid_out, boot=self._boot)
        if after != slots:
            self._folder.keep(after)
        return after

    def _run(self, slots: Slots) -> int:
        command, environment = _agent(self._folder, slots, self.state, ["serve", *self.words])
        _say(f"starting release {slots.release or 'of the package'} ({slots.stage})")
        launcher = os.getpid()

        def die_with_the_launcher() -> None:
            # An agent that nobody watches over would be in the way of the next one.
            _libc.prctl(_KILLED_WITH_PARENT, signal.SIGKILL)
            if os.getppid() != launcher:
                os._exit(1)

        with subprocess.Popen(  # noqa: S603 - our own program
            command,
            env=environment,
            preexec_fn=die_with_the_launcher,  # noqa: PLW1509 - no other thread runs here
        ) as agent:
            self._agent = agent
            if self._told.is_set():
                agent.terminate()
            if slots.is_on_trial:
                self._watch(agent)
            return agent.wait()

    def _watch(self, agent: subprocess.Popen[bytes]) -> None:
        """Return when the agent has proven itself or ended; end it if its time is up."""
        deadline = time.monotonic() + self.prove_seconds
        while time.monotonic() < deadline:
            try:
                agent.wait(_LOOK_SECONDS)
            except subprocess.TimeoutExpired:
                if not self._load().is_on_trial:
                    return
            else:
                return
        agent.kill()
        agent.wait()
        slots = self._load()
        after = overdue(slots, self.prove_seconds)
        if after != slots:
            _say(f"release {slots.release} did not do its work in time")
            self._folder.keep(after)

    def _load(self) -> Slots:
        try:
            return self._folder.load()
        except StateUnusableError as error:
            _say(f"{error.message}; going on with the release of the package")
            self._folder.set_aside()
            return Slots()

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._told.set()
        if self._agent is not None:
            self._agent.terminate()


def _agent(
    folder: SlotsFolder, slots: Slots, state: Path, words: Sequence[str]
) -> tuple[list[str], dict[str, str]]:
    """Give the command of the release in the active slot, and its environment."""
    environment = dict(os.environ)
    if folder.laid_out(slots.active) is None:
        environment[SLOT_VARIABLE] = PACKAGE
    else:
        environment[SLOT_VARIABLE] = slots.active
        environment["PYTHONPATH"] = str(folder.site(slots.active))
    # Neither the folder that somebody stands in nor a user's own packages are imported.
    python = [sys.executable, "-s", "-P", "-m", "corral.engine.entrypoints.cli"]
    return [*python, "--state", str(state), *words], environment


def run(words: Sequence[str]) -> int:
    """Run the launcher; give its exit code."""
    parser = argparse.ArgumentParser(
        prog="corral-engine-launcher",
        description="Start the engine's agent from the slot in use, and go back from a release"
        " that does not do its work. What follows -- is for the agent.",
    )
    default = Path(os.environ.get(_STATE_VARIABLE, _STATE))
    parser.add_argument("--state", type=Path, default=default, help="the engine's state folder")
    parser.add_argument(
        "--prove-within",
        type=float,
        default=PROVE_SECONDS,
        metavar="SECONDS",
        help="the time that a new release has to show that it does its work (%(default).0f)",
    )
    parser.add_argument("--run", action="store_true", help="run a command of the release in use")
    parser.add_argument("words", nargs="*", metavar="WORD")
    own, after = _parted(words)
    asked = parser.parse_args(own)
    state = asked.state.absolute()
    try:
        if asked.run:
            return _become(_named_in(after) or state, [*asked.words, *after])
        return Launcher(state, [*asked.words, *after], asked.prove_within)()
    except EngineError as error:
        _say(f"{error.message} ({error.code})")
        return _ENVIRONMENT_FAULT
    except OSError as error:
        _say(f"the engine cannot be started: {error}")
        return _ENVIRONMENT_FAULT


def _parted(words: Sequence[str]) -> tuple[list[str], list[str]]:
    own = list(words)
    if "--" not in own:
        return own, []
    at = own.index("--")
    return own[:at], own[at + 1 :]


def _named_in(words: Sequence[str]) -> Path | None:
    """Give the state folder that a command itself names: its release is the one that is asked."""
    for at, word in enumerate(words):
        if word == "--state" and at + 1 < len(words):
            return Path(words[at + 1]).absolute()
        if word.startswith("--state="):
            return Path(word.partition("=")[2]).absolute()
    return None


def _become(state: Path, words: list[str]) -> int:
    folder = SlotsFolder(state)
    try:
        slots = folder.load()
    except EngineError:
        slots = Slots()
    command, environment = _agent(folder, slots, state, words)
    os.execve(command[0], command, environment)  # noqa: S606 - our own program


def _say(text: str) -> None:
    sys.stderr.write(f"corral-engine-launcher: {text}\n")
    sys.stderr.flush()
