"""Running QEMU's programs: always with arguments as a list, in the C locale, bounded in memory."""

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from corral.farm.application.ports.scratch import Scratch
from corral.farm.domain.estate.errors import ProgramMissingError

BlockNode = dict[str, Any]
"""A QEMU block graph: each layer with its driver, so that nothing is left to probing."""

# A crafted image can make its reader allocate without end; real ones need a small part of this.
_MEMORY_LIMIT: Final = "--as=4294967296"
_INSPECT_SECONDS: Final = 120.0
_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.02

TRUNCATED: Final = "has probably been truncated"
"""What QEMU says before the last line when it would not open a VHDX whose end is missing."""


class QemuError(Exception):
    """A program of QEMU's refused; the message is its own last line."""


def file_name(node: BlockNode) -> str:
    """Write a graph as the one argument that all of QEMU's programs take."""
    return "json:" + json.dumps(node)


def query(arguments: list[str]) -> str:
    """Run qemu-img for its answer."""
    done = subprocess.run(  # noqa: S603 - no shell; paths are absolute or inside JSON
        [*_bounded(), _program("qemu-img"), *arguments],
        env=_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_INSPECT_SECONDS,
        check=False,
    )
    if done.returncode != 0 and not done.stdout.strip():
        raise QemuError(_complaint(done.stderr))
    return done.stdout


@contextmanager
def answering(arguments: list[str]) -> Iterator[subprocess.Popen[str]]:
    """Run qemu-img for the length of the block, its output to be read as it comes."""
    with subprocess.Popen(  # noqa: S603 - as above
        [_program("setpriv"), "--pdeathsig", "KILL", *_bounded(), _program("qemu-img"), *arguments],
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def served_over_nbd(node: BlockNode, scratch: Scratch) -> Iterator[Path]:
    """Serve a graph read-only on a unix socket in a folder that nobody else may enter.

    qemu-nbd dies with this process, however this process dies.
    """
    with scratch.folder("nbd") as folder:
        path = folder / "nbd"
        command = [
            *(_program("setpriv"), "--pdeathsig", "KILL"),
            *(_program("qemu-nbd"), "--read-only", "--persistent", "--shared=16"),
            *("--socket", str(path), file_name(node)),
        ]
        with subprocess.Popen(  # noqa: S603 - as above
            command,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        ) as process:
            try:
                _wait_until_it_accepts(process, path)
                yield path
            finally:
                process.terminate()
                try:
                    process.wait(_STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()


def last_line(text: str) -> str:
    """Give the sentence of an error output that matters, without the program's name."""
    lines = [line for line in text.splitlines() if line.strip()]
    line = lines[-1].strip() if lines else "it ended without saying why"
    return line.removeprefix("qemu-img: ").removeprefix("qemu-nbd: ")


def _complaint(errors: str) -> str:
    told = (line for line in errors.splitlines() if TRUNCATED in line)
    return last_line(next(told, errors))


def _wait_until_it_accepts(process: subprocess.Popen[str], path: Path) -> None:
    waited = 0.0
    while waited < _START_SECONDS:
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(path))
            except (FileNotFoundError, ConnectionRefusedError):
                pass
            else:
                return
        try:
            process.wait(_POLL_SECONDS)
        except subprocess.TimeoutExpired:
            waited += _POLL_SECONDS
            continue
        errors = process.stderr.read() if process.stderr else ""
        raise QemuError(last_line(errors))
    message = f"qemu-nbd did not answer within {_START_SECONDS:.0f} s"
    raise QemuError(message)


def _bounded() -> list[str]:
    return [_program("prlimit"), _MEMORY_LIMIT, "--"]


def qemu() -> str:
    """Give the program that runs virtual machines; raises ``ProgramMissingError``."""
    return _found("qemu-system-x86_64", "start the guest of an image", "qemu-system-x86")


@contextmanager
def dying_with_us(command: list[str], errors: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program for the length of the block; it ends with this process, however that ends."""
    with (
        errors.open("wb") as said,
        subprocess.Popen(  # noqa: S603 - no shell; paths are absolute or inside JSON
            [_program("setpriv"), "--pdeathsig", "KILL", *command],
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            cwd="/",
        ) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def _program(name: str) -> str:
    package = "util-linux" if name in ("prlimit", "setpriv") else "qemu-utils"
    return _found(name, "read disk images other than raw", package)


def _found(name: str, needed_for: str, package: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise ProgramMissingError(name, needed_for, f"apt install {package}")
    return found


def _environment() -> dict[str, str]:
    return {**os.environ, "LC_ALL": "C.UTF-8"}
