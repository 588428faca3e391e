"""The disk process, as the agent uses it."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import struct
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from corral.engine.adapters.disk_messages import DiskReport, DiskWishes, WishedDisk
from corral.engine.application.ports import Offer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from corral.engine.adapters.state_folder import StateFolder
    from corral.engine.domain.fetching import Fetch

_ANSWER_SECONDS: Final = 5.0
_READ_BYTES: Final = 1 << 16


def disk_socket(state: StateFolder) -> Path:
    """Where it offers disks, by NBD."""
    return state.sockets / "disks"


def control_socket(state: StateFolder) -> Path:
    """Where it is told what to offer."""
    return state.sockets / "disks.control"


def lock_file(state: StateFolder) -> Path:
    """Held by the one that runs."""
    return state.sockets / "disks.lock"


class DiskProcess:
    """Tells it what to offer, and starts it where nobody does."""

    def __init__(self, state: StateFolder, *, may_start: bool = True) -> None:
        self._state = state
        self._may_start = may_start
        self._started: subprocess.Popen[bytes] | None = None
        self.answers: bool | None = None
        """Whether it understood what it was last told; None while nobody has told it anything."""
        self.release = ""
        """Of the one that answered last."""
        self._pid = 0

    def offer(self, wanted: Mapping[str, Fetch | None]) -> Offer:
        """Have it offer these and no others, and hear what it does offer."""
        disks = tuple(
            WishedDisk(root=root)
            if fetch is None
            else WishedDisk(
                root=root, urls=fetch.urls, ticket=fetch.ticket, authority=fetch.authority
            )
            for root, fetch in wanted.items()
        )
        try:
            report = self._ask(DiskWishes(disks=disks))
        except (OSError, ValidationError):
            self.answers = False
            self._start()
            return Offer()
        self.answers, self.release = True, report.release
        refused = {root: (one.code, one.problem) for root, one in report.refused.items()}
        return Offer(report.sizes, refused)

    def end(self) -> None:
        """End the one that answered last; what is offered is gone until another one is started."""
        if self.answers and self._pid:
            self.answers = False
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGTERM)

    def _ask(self, wishes: DiskWishes) -> DiskReport:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(_ANSWER_SECONDS)
            line.connect(str(control_socket(self._state)))
            self._pid = _pid_of_peer(line)
            line.sendall(wishes.model_dump_json().encode() + b"\n")
            answer = bytearray()
            while part := line.recv(_READ_BYTES):
                answer += part
        return DiskReport.model_validate_json(bytes(answer))

    def _start(self) -> None:
        """Start it, detached: it outlives this agent."""
        is_starting = self._started is not None and self._started.poll() is None
        if not self._may_start or is_starting or self._is_alive():
            return
        with (self._state.path / "disks.log").open("ab") as log:
            self._started = subprocess.Popen(  # noqa: S603 - our own program
                [
                    *(sys.executable, "-m", "corral.engine.entrypoints.cli"),
                    *("--state", str(self._state.path), "disks"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd="/",
            )

    def _is_alive(self) -> bool:
        with suppress(FileNotFoundError):
            descriptor = os.open(lock_file(self._state), os.O_RDWR)
            try:
                # Shared: two that look are not in each other's way.
                fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return True
            finally:
                os.close(descriptor)
        return False


def _pid_of_peer(line: socket.socket) -> int:
    """Give the process at the other end, as the kernel says."""
    size = struct.calcsize("3i")
    pid, _user, _group = struct.unpack(
        "3i", line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    )
    return int(pid)
