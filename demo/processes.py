"""Programs that the demonstration runs: to their end, or beside it until it stops them.

Every program's words go to a log of its own, and every program that was started is ended by its
process id, whatever happened. If it is the demonstration that is killed, the kernel ends them.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, Protocol

from demo.errors import (
    DemoError,
    MissingProgramError,
    NeedsRootError,
    ProgramFailedError,
    TooLateError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

_SYSTEM_FOLDERS: Final = "/usr/local/sbin:/usr/sbin:/sbin"
_POLL_SECONDS: Final = 0.1
_GRACE_SECONDS: Final = 10.0


class Watcher(Protocol):
    """Who is told what a running program is doing."""

    def doing(self, what: str) -> None:
        """Show ``what`` as the present activity; an empty text ends it."""


def find_program(program: str, package: str) -> str:
    """Give the path of a program, or an error that names its package."""
    path = shutil.which(program, path=f"{os.environ.get('PATH', '')}:{_SYSTEM_FOLDERS}")
    if path is None:
        raise MissingProgramError(program, package)
    return path


def wait_until(condition: Callable[[], bool], within_seconds: float, otherwise: str) -> None:
    """Return once ``condition`` holds, or raise ``TooLateError`` saying ``otherwise``."""
    deadline = time.monotonic() + within_seconds
    pause = threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            message = f"{otherwise} within {within_seconds:.0f} s"
            raise TooLateError(message)
        pause.wait(_POLL_SECONDS)


@dataclass(frozen=True)
class Runner:
    """Runs programs to their end."""

    logs: Path
    watcher: Watcher

    def run(  # noqa: PLR0913 - each is a fact about one run, and all but two have a default
        self,
        name: str,
        command: Sequence[str],
        *,
        what: str,
        folder: Path | None = None,
        watch: Path | None = None,
        environment: Mapping[str, str] | None = None,
        keeps_output: bool = True,
        shows_progress: bool = False,
        good: Collection[int] = (0,),
    ) -> str:
        """Run ``command`` and return its standard output; ``good`` are exit codes that may be.

        ``what`` is shown meanwhile, with the last line of its standard error and the size of
        ``watch``. ``keeps_output=False`` keeps its standard output, which may hold a secret, out of
        the log. ``shows_progress=True`` lets
        the program draw its own progress on our terminal, if we have one.
        """
        program = find_program(command[0], command[0])
        log = self.logs / f"{name}.log"
        with log.open("ab") as errors:
            errors.write(f"$ {' '.join(command)}\n".encode())
            errors.flush()
            start = errors.tell()
            draws = shows_progress and sys.stderr.isatty()
            process = subprocess.Popen(
                [*_dies_with_us(), program, *command[1:]],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=None if draws else errors,
                cwd=folder,
                env=None if environment is None else {**os.environ, **environment},
                start_new_session=True,
            )
            try:
                output = (
                    process.communicate()[0]
                    if draws
                    else self._follow(process, what, log, start, watch)
                )
            except BaseException:
                end(process)
                raise
            finally:
                self.watcher.doing("")
            if keeps_output:
                errors.write(output)
        if process.returncode not in good:
            raise ProgramFailedError(
                Path(program).name, process.returncode, complaint(log, start), str(log)
            )
        return output.decode("utf-8", "replace")

    def _follow(
        self, process: subprocess.Popen[bytes], what: str, log: Path, start: int, watch: Path | None
    ) -> bytes:
        while True:
            try:
                return process.communicate(timeout=_POLL_SECONDS * 3)[0]
            except subprocess.TimeoutExpired:
                said = _last_words(log, start)
                size = f", {_folder_bytes(watch) / 1e6:.0f} MB" if watch is not None else ""
                self.watcher.doing(f"{what}{size}{f': {said}' if said else ''}")


@dataclass
class Program:
    """A program that runs beside the demonstration."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    def kill(self) -> None:
        """``kill -9``: it gets no chance to say good-bye."""
        self.process.kill()
        self.process.wait()


@dataclass
class Programs:
    """Every program that runs beside the demonstration; the last started is the first ended."""

    logs: Path
    may_outlive_us: bool = False
    """Whether they are left running if this process is killed, or on ``leave_running``."""
    _started: list[Program] = field(default_factory=list)

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        output: int | None = None,
    ) -> Program:
        """Start ``command``; its words go to its log (its output to ``output``, if given)."""
        log = self.logs / f"{name}.log"
        program = find_program(command[0], command[0])
        with log.open("ab") as words:
            words.write(f"$ {' '.join(command)}\n".encode())
            words.flush()
            process = subprocess.Popen(
                [*(() if self.may_outlive_us else _dies_with_us()), program, *command[1:]],
                stdin=subprocess.DEVNULL,
                stdout=words if output is None else output,
                stderr=words,
                env=None if environment is None else {**os.environ, **environment},
                # Ctrl-C is for the demonstration, which then ends its programs in order.
                start_new_session=True,
            )
        started = Program(name, process, log)
        self._started.append(started)
        return started

    def expect_running(self, program: Program) -> None:
        """Fail with the program's last words if it has ended by itself."""
        if not program.is_running():
            raise ProgramFailedError(
                program.name, program.process.returncode, complaint(program.log), str(program.log)
            )

    def stop(self, program: Program) -> None:
        """End one program and wait for it."""
        end(program.process)
        if program in self._started:
            self._started.remove(program)

    def stop_all(self) -> None:
        """End every program that still runs."""
        while self._started:
            end(self._started.pop().process)

    def leave_running(self) -> list[Program]:
        """Give up the programs without ending them; returns those that run."""
        left = [program for program in self._started if program.is_running()]
        self._started.clear()
        return left


def _dies_with_us() -> list[str]:
    """Give the words before a command that have it killed when the thread that starts it ends."""
    return [find_program("setpriv", "util-linux"), "--pdeathsig", "KILL"]


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process and its descendants: ask first, kill what has not gone after a while."""
    for sign, patience in ((signal.SIGTERM, _GRACE_SECONDS), (signal.SIGKILL, None)):
        if process.poll() is not None:
            break
        # The process leads a session of its own (``start_new_session``), so this reaches nobody
        # else's processes.
        os.killpg(process.pid, sign)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            continue
    stream: IO[bytes] | None = process.stdout
    if stream is not None:
        stream.close()


def free_port() -> int:
    """Reserve a TCP port on loopback for a server that this process starts, perhaps repeatedly.

    A socket that is bound and does not listen keeps the port from being given to anybody else for
    as long as this process lives. It is in no server's way: servers bind with ``SO_REUSEADDR``.
    """
    held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    port: int = held.getsockname()[1]
    held.detach()  # stays open without anybody who could close it
    return port


def require_root(purpose: str) -> None:
    """Refuse, saying for what, when this process is not root."""
    if os.geteuid() != 0:
        raise NeedsRootError(purpose)


def require_space(folder: Path, needed_bytes: int) -> None:
    """Refuse, saying how much is missing, when the disk under ``folder`` is too full."""
    free = shutil.disk_usage(folder).free
    if free < needed_bytes:
        message = (
            f"{folder} has {free / 1e6:.0f} MB free and this needs {needed_bytes / 1e6:.0f} MB: "
            "make some room"
        )
        raise DemoError(message)


def complaint(log: Path, start: int = 0) -> str:
    """Give what a program that failed said of it: its ``error: …``, or else its last line."""
    lines = _lines(log, start)
    for line in reversed(lines):
        if line.startswith("error: "):
            return line.removeprefix("error: ")
        if line.startswith('{"') and '"message"' in line:
            try:
                return str(json.loads(line)["message"])
            except (ValueError, KeyError):
                continue
    return lines[-1] if lines else "it said nothing"


def _last_words(log: Path, start: int) -> str:
    lines = _lines(log, start)
    return lines[-1][:160] if lines else ""


def _lines(log: Path, start: int) -> list[str]:
    with log.open("rb") as file:
        file.seek(max(start, log.stat().st_size - 8192))
        text = file.read().decode("utf-8", "replace").replace("\r", "\n")
    return [line.strip() for line in text.splitlines() if line.strip()]


def _folder_bytes(folder: Path) -> int:
    """Add up the files under ``folder``; to enter what is mounted there would keep it busy."""
    total = 0
    try:
        device = folder.stat().st_dev
        for path, folders, files in os.walk(folder):
            folders[:] = [name for name in folders if Path(path, name).lstat().st_dev == device]
            total += sum(Path(path, name).lstat().st_size for name in files)
    except OSError:
        pass  # something was renamed or removed while we looked: this is only for the eye
    return total
