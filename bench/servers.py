"""The servers that are measured, each with the settings that serve it best."""

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from bench.process import Endpoint, Running, Transport, reporting, socket_activated

CORRAL = "corral"
DOES_NOTHING = "nbdkit-null"


@dataclass(frozen=True)
class Candidate:
    """A server that can be started, and its command as a reader would type it."""

    name: str
    settings: str
    start: Callable[[Transport], AbstractContextManager[Running]]


def nbdkit(image: Path, folder: Path) -> Candidate:
    """Nbdkit's file plugin, read-only, with its default of 16 threads a connection."""
    return _activated(
        "nbdkit", ["nbdkit", "--foreground", "--readonly", "file", str(image)], folder
    )


def nbdkit_null(size_bytes: int, folder: Path) -> Candidate:
    """Do no work for a read: what the client can reach at best."""
    # Without the filter it would say that all of it is a hole, and nbdcopy would not read at all.
    command = [
        "nbdkit", "--foreground", "--readonly", "--filter=noextents", "null", str(size_bytes),
    ]  # fmt: skip
    return _activated(DOES_NOTHING, command, folder)


def qemu_nbd(image: Path, folder: Path) -> list[Candidate]:
    """Qemu-nbd on a raw file through the page cache, in each way it can read files here.

    Which is faster depends on the work, so each work is compared with the better one of them.
    """
    switch = Path("/proc/sys/kernel/io_uring_disabled")
    may_use_io_uring = not switch.exists() or switch.read_text().strip() == "0"
    ways = ["io_uring", "threads"] if may_use_io_uring else ["threads"]
    return [_qemu_nbd(image, folder, aio) for aio in ways]


def _qemu_nbd(image: Path, folder: Path, aio: str) -> Candidate:
    command = [
        "qemu-nbd", "--read-only", "--format=raw", "--persistent", "--shared=0",
        "--cache=writeback", f"--aio={aio}", str(image),
    ]  # fmt: skip
    return _activated(f"qemu-nbd ({aio})", command, folder)


def corral(store: Path, root: str, folder: Path) -> Candidate:
    """Corral's stream server on the version of that root hash, all of it in its flat file."""

    @contextlib.contextmanager
    def start(transport: Transport) -> Iterator[Running]:
        command = [
            sys.executable,
            "-m",
            "bench.corral_server",
            str(store),
            root,
            transport,
            str(folder),
        ]
        with reporting(command) as (pid, line):
            told = json.loads(line)
            yield Running(CORRAL, pid, Endpoint(transport, told["address"], told["export"]))

    return Candidate(CORRAL, "stream server in its Python process, flat file", start)


def _activated(name: str, command: list[str], folder: Path) -> Candidate:
    @contextlib.contextmanager
    def start(transport: Transport) -> Iterator[Running]:
        with socket_activated(command, transport, folder) as (pid, address):
            yield Running(name, pid, Endpoint(transport, address, ""))

    shown = " ".join(Path(word).name if word.startswith("/") else word for word in command)
    return Candidate(name, shown, start)
