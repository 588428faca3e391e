"""What is asked of a server, and one measurement of it."""

import json
import os
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import socket

from bench.image import MEBIBYTE
from bench.process import Endpoint, MeasurementError, Running, Transport
from bench.servers import DOES_NOTHING

_GIBIBYTE = 1024 * MEBIBYTE
# nbdcopy's own default is 64 requests a connection; said here because the figures depend on it.
_REQUESTS_IN_FLIGHT = 64


@dataclass(frozen=True)
class Sample:
    """One measurement: the figure itself and what else it tells."""

    value: float
    cpu_seconds: float | None = None
    p50_us: float | None = None
    p99_us: float | None = None
    threads: int | None = None
    disturbance: float = 0.0
    """Share of the machine that processes took which had no part in it."""


@dataclass(frozen=True)
class Work:
    """One thing that is measured, on a server that runs already."""

    name: str
    says: str
    unit: str
    cpu_unit: str | None
    higher_is_better: bool
    measure: Callable[[Running], Sample]


def sequential_read(size_bytes: int, connections: int) -> Work:
    """Read the whole image with libnbd's own copying tool."""

    def measure(server: Running) -> Sample:
        command = [
            "nbdcopy", f"--connections={connections}", f"--requests={_REQUESTS_IN_FLIGHT}",
            server.endpoint.uri, "null:",
        ]  # fmt: skip
        cpu, start = server.cpu_seconds(), time.perf_counter()
        subprocess.run(command, check=True)
        seconds = time.perf_counter() - start
        cpu = server.cpu_seconds() - cpu
        return Sample(size_bytes / MEBIBYTE / seconds, cpu_seconds=cpu * _GIBIBYTE / size_bytes)

    return Work(
        f"seq_read_{connections}conn",
        f"whole image by nbdcopy, {_count(connections)}",
        "MiB/s", "CPU s/GiB", higher_is_better=True, measure=measure,
    )  # fmt: skip


def random_read(
    load: "LoadGenerator", connections: int, depth: int, *, batched: bool = True
) -> Work:
    """Read 4 KiB at random addresses, with ``depth`` requests in flight on each connection.

    ``batched`` requests are sent with one write when they become possible together; it is what lets
    the client keep up. Others have a write each.
    """

    def measure(server: Running) -> Sample:
        cpu = server.cpu_seconds()
        told = load.run(
            server.endpoint,
            connections,
            depth,
            stamped=server.name != DOES_NOTHING,
            batched=batched,
        )
        cpu = server.cpu_seconds() - cpu
        return Sample(
            told["requests"] / told["seconds"],
            cpu_seconds=cpu / told["requests"] * 1e6,
            p50_us=told["p50_us"],
            p99_us=told["p99_us"],
        )

    return Work(
        f"rand4k_qd{depth}_{connections}conn" + ("" if batched else "_single"),
        f"random 4 KiB, depth {depth}, {_count(connections)}"
        + ("" if batched else ", a write for each request"),
        "IO/s", "CPU µs/IO", higher_is_better=True, measure=measure,
    )  # fmt: skip


def idle_memory(connections: int) -> Work:
    """Hold many connections that have read once and now wait; on a freshly started server."""

    def measure(server: Running) -> Sample:
        with _reader(server.endpoint):
            pass  # what only the first connection allocates is not a cost of each
        before = server.memory_bytes()
        with ExitStack() as held:
            for _ in range(connections):
                held.enter_context(_reader(server.endpoint))
            per_connection = (server.memory_bytes() - before) / connections
            return Sample(per_connection / 1024, threads=server.threads())

    return Work(
        "idle_conn_memory",
        f"server memory for each of {connections} idle connections (PSS)",
        "KiB", None, higher_is_better=False, measure=measure,
    )  # fmt: skip


@dataclass(frozen=True)
class LoadGenerator:
    """``nbd-load``, built from ``bench/load``."""

    program: Path
    seconds: float

    def run(
        self, endpoint: Endpoint, connections: int, depth: int, *, stamped: bool, batched: bool
    ) -> dict[str, float]:
        """Put the load on a server and return what the generator saw."""
        kind = "unix" if endpoint.transport is Transport.UNIX else "tcp"
        check = "stamped" if stamped else "unchecked"
        writes = "batched" if batched else "single"
        command = [
            str(self.program), kind, endpoint.address, endpoint.export, str(connections),
            str(depth), str(self.seconds), writes, check, "structured",
        ]  # fmt: skip
        finished = subprocess.run(command, check=True, stdout=subprocess.PIPE)
        told: dict[str, float] = json.loads(finished.stdout)
        return told


def build_load_generator(root: Path, seconds: float) -> LoadGenerator:
    """Compile the load generator; quick when nothing changed."""
    command = ["cargo", "build", "--quiet", "--locked", "--release", "--package", "nbd-load"]
    subprocess.run(command, check=True, cwd=root)
    target = Path(os.environ.get("CARGO_TARGET_DIR", root / "target"))
    return LoadGenerator(target / "release" / "nbd-load", seconds)


def fio_random_read(endpoint: Endpoint, connections: int, depth: int, seconds: float) -> float:
    """IO/s of the same load as fio's nbd engine reaches it: kept to show why it is not used."""
    command = [
        "fio", "--name=read", "--ioengine=nbd", f"--uri={endpoint.uri}", "--rw=randread", "--bs=4k",
        f"--iodepth={depth}", f"--numjobs={connections}", "--group_reporting", "--time_based",
        f"--runtime={seconds * 1000:.0f}ms", "--size=64m", "--norandommap", "--output-format=json",
    ]  # fmt: skip
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    told = json.loads(printed[printed.index("{") :])  # its engine greets on stdout first
    return float(told["jobs"][0]["read"]["iops"])


def _count(connections: int) -> str:
    return "1 connection" if connections == 1 else f"{connections} connections"


@contextmanager
def _reader(endpoint: Endpoint) -> Iterator[socket]:
    """Open a connection that has negotiated the export and read one block of it."""
    with endpoint.connect() as connection:
        stream = connection.makefile("rwb", buffering=0)
        _exactly(stream.read, 18)
        name = endpoint.export.encode()
        connection.sendall(
            struct.pack(">I", 0b11)
            + struct.pack(">QII", 0x49484156454F5054, 7, len(name) + 6)
            + struct.pack(">I", len(name)) + name + struct.pack(">H", 0)
        )  # fmt: skip
        while True:
            _, _, kind, length = struct.unpack(">QIII", _exactly(stream.read, 20))
            _exactly(stream.read, length)
            if kind == _ACK:
                break
            if kind != _INFO:
                raise MeasurementError(f"{endpoint.uri}: the export was refused ({kind:#x})")  # noqa: EM102, TRY003
        connection.sendall(struct.pack(">IHHQQI", 0x25609513, 0, 0, 1, 0, 4096))
        _exactly(stream.read, 16 + 4096)
        yield connection


_ACK, _INFO = 1, 3


def _exactly(read: Callable[[int], bytes | None], length: int) -> bytes:
    got = b""
    while len(got) < length:
        more = read(length - len(got))
        if not more:
            raise MeasurementError("the server closed a connection early")  # noqa: EM101, TRY003
        got += more
    return got
