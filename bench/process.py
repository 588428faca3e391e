"""One measured process: started on a socket that listens, observed in /proc, ended by its id."""

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

LISTEN_BACKLOG = 1024
# The kernel's clock of the CPU time of a whole process, as `clock_getcpuclockid` makes it.
_CPU_CLOCK_SCHEDULER = 2


class Transport(StrEnum):
    """How a client reaches a server on the same machine."""

    UNIX = "unix"
    TCP = "tcp"


@dataclass(frozen=True)
class Endpoint:
    """Where one server can be reached, and under which export name."""

    transport: Transport
    address: str
    export: str

    @property
    def uri(self) -> str:
        """The NBD URI, as libnbd and QEMU read it."""
        if self.transport is Transport.UNIX:
            return f"nbd+unix:///{self.export}?socket={self.address}"
        return f"nbd://{self.address}/{self.export}"

    def connect(self) -> socket.socket:
        """Open a plain connection."""
        if self.transport is Transport.UNIX:
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(self.address)
            return connection
        host, _, port = self.address.rpartition(":")
        return socket.create_connection((host, int(port)))


@dataclass(frozen=True)
class Running:
    """A server that answers at its endpoint."""

    name: str
    pid: int
    endpoint: Endpoint

    def cpu_seconds(self) -> float:
        """CPU time of all threads of the process, ended ones included."""
        return cpu_seconds(self.pid)

    def memory_bytes(self) -> int:
        """Proportional set size: its own memory and its share of what it shares."""
        return memory_bytes(self.pid)

    def threads(self) -> int:
        """How many threads the process has now."""
        return len(os.listdir(f"/proc/{self.pid}/task"))  # noqa: PTH208 - a count, no paths


def cpu_seconds(pid: int) -> float:
    """CPU time of all threads of a process, ended ones included."""
    return time.clock_gettime(~pid << 3 | _CPU_CLOCK_SCHEDULER)


def memory_bytes(pid: int) -> int:
    """Proportional set size of a process: its own memory and its share of what it shares."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise MeasurementError(f"/proc/{pid}/smaps_rollup has no Pss line")  # noqa: EM102, TRY003


class MeasurementError(Exception):
    """A tool or a server did not do what the bench asked of it."""


@contextlib.contextmanager
def socket_activated(
    command: Sequence[str], transport: Transport, folder: Path
) -> Iterator[tuple[int, str]]:
    """Run ``command`` on a socket that already listens; yields its process id and the address.

    Both peers take a listening socket the way systemd passes one. So nothing here waits for a port
    to open, and none is picked twice.
    """
    with _listening(transport, folder) as (listener, address):
        number = listener.fileno()
        with _started(
            ["bash", "-c", f'LISTEN_FDS=1 LISTEN_PID=$$ exec "$@" 3<&{number}', "bash", *command],
            keep_open=(number,),
        ) as process:
            listener.close()  # so that a server that has died refuses rather than keeps waiting
            yield process.pid, address


@contextlib.contextmanager
def reporting(command: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Run a ``command`` that prints a line once it serves; yields its process id and the line."""
    with _started(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None  # noqa: S101 - asked for one line above
        line = process.stdout.readline()
        if not line:
            raise MeasurementError(f"{command[0]} ended before it served")  # noqa: EM102, TRY003
        yield process.pid, line.decode()


@contextlib.contextmanager
def _listening(transport: Transport, folder: Path) -> Iterator[tuple[socket.socket, str]]:
    family = socket.AF_UNIX if transport is Transport.UNIX else socket.AF_INET
    with socket.socket(family) as listener:
        if transport is Transport.UNIX:
            path = folder / f"{secrets.token_hex(8)}.sock"
            listener.bind(str(path))
            address = str(path)
        else:
            listener.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{listener.getsockname()[1]}"
        listener.listen(LISTEN_BACKLOG)
        yield listener, address


@contextlib.contextmanager
def _started(
    command: Sequence[str], *, keep_open: tuple[int, ...] = (), stdout: int | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen(
        command, pass_fds=keep_open, stdin=subprocess.DEVNULL, stdout=stdout
    ) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
