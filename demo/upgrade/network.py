"""Where each machine of the demonstration stands: a network of its own, or an address of loopback.

As root, each machine is a network namespace on a bridge, which is in a namespace, too: nothing of
this machine's own network is touched. A namespace is held by a process and gone with it, so that
nothing is left even of a demonstration that was killed. Without root, machines are addresses of
this machine's loopback.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from demo.errors import DemoError
from demo.processes import find_program, wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from demo.processes import Program, Programs

_NETWORK: Final = "10.77.0"
_LOOPBACK: Final = "127.0.77"
_FIRST: Final = 11
_SECONDS: Final = 30.0


@dataclass(frozen=True)
class Place:
    """Where a machine stands."""

    name: str
    address: str
    within: tuple[str, ...] = ()
    """Words before a command that has it run there."""


@dataclass
class Network:
    """All places; machines reach each other by their addresses."""

    _programs: Programs
    has_namespaces: bool = False
    _switch: tuple[str, ...] = ()
    _count: int = 0
    places: list[Place] = field(default_factory=list)

    @classmethod
    def make(cls, programs: Programs, *, namespaces: bool) -> Network:
        """Make it; with ``namespaces`` only if this process may."""
        network = cls(programs, has_namespaces=namespaces and os.geteuid() == 0)
        if network.has_namespaces:
            network._switch = _within(network._namespace("switch"))
            network._set_up(
                network._switch,
                "link add lan type bridge forward_delay 0",
                "link set lan up",
            )
        return network

    def place(self, name: str) -> Place:
        """Give a new machine its place."""
        number = _FIRST + self._count
        self._count += 1
        if self.has_namespaces:
            place = self._joined(name, f"{_NETWORK}.{number}")
        else:
            place = Place(name, f"{_LOOPBACK}.{number}")
        self.places.append(place)
        return place

    def _joined(self, name: str, address: str) -> Place:
        holder = self._namespace(name)
        within = _within(holder)
        port = f"port{self._count}"
        self._set_up(
            self._switch,
            f"link add {port} type veth peer name lan netns {holder.pid}",
            f"link set {port} master lan up",
        )
        self._set_up(
            within, "link set lo up", f"address add {address}/24 dev lan", "link set lan up"
        )
        return Place(name, address, within)

    def _namespace(self, name: str) -> Program:
        """Start who holds a new namespace."""
        words = ["unshare", "--net", "sleep", "infinity"]
        holder = self._programs.start(f"network-{name}", words)
        own = _network_of("self")

        def is_apart() -> bool:
            self._programs.expect_running(holder)
            return _network_of(str(holder.pid)) != own

        wait_until(is_apart, _SECONDS, f"there was no network for {name}")
        return holder

    @staticmethod
    def _set_up(within: Sequence[str], *lines: str) -> None:
        done = subprocess.run(
            [*within, find_program("ip", "iproute2"), "-batch", "-"],
            input="".join(f"{line}\n" for line in lines),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            message = f"`ip` could not set a network up: {done.stderr.strip()}"
            raise DemoError(message)


def _within(holder: Program) -> tuple[str, ...]:
    """Give the words that have a command run in a namespace."""
    return (find_program("nsenter", "util-linux"), f"--net=/proc/{holder.pid}/ns/net")


def _network_of(process: str) -> str:
    return str(Path("/proc", process, "ns", "net").readlink())
