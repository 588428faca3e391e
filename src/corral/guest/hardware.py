"""The hardware of a virtual machine, in QEMU's words.

One for all: what was installed in a guest at one place finds the same machine at another.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from corral.guest.medium import SERIAL

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from corral.guest.accelerator import Accelerator

BlockNode = dict[str, Any]

SYSTEM: Final = "system"
"""The disk that a machine starts from."""

_MACHINE: Final = "pc-q35-7.2,vmport=off"
"""Of one release of QEMU, so that a suspended machine goes on after QEMU was upgraded."""
_CONSOLE_BYTES: Final = 1 << 20


@dataclass(frozen=True)
class Board:
    """What a machine is, but for its disks."""

    name: str
    process: str
    """What its process is called."""
    memory_mib: int
    processors: int
    accelerator: Accelerator
    monitor: Path
    """The socket where QEMU is spoken to."""
    agent: Path
    """The socket where its guest agent is spoken to."""
    reaches_network: bool = True
    """Whether its network card leads anywhere."""

    def words(self) -> list[str]:
        """Give the arguments."""
        network = "user,id=net" + ("" if self.reaches_network else ",restrict=on")
        return [
            *("-name", f"guest={self.name},process={self.process}"),
            *("-nodefaults", "-no-user-config", "-machine", _MACHINE, *self.accelerator.words()),
            *("-m", f"{self.memory_mib}M", "-smp", str(self.processors)),
            # It stays until somebody has seen how its guest ended, and does not have to guess.
            *("-action", "shutdown=pause,panic=pause,reboot=reset"),
            *("-rtc", "base=utc", "-device", "virtio-rng-pci"),
            *("-chardev", f"ringbuf,id=console,size={_CONSOLE_BYTES}"),
            *("-serial", "chardev:console"),
            *("-chardev", _socket("monitor", self.monitor)),
            *("-mon", "chardev=monitor,mode=control"),
            *("-device", "virtio-serial-pci", "-chardev", _socket("guest", self.agent)),
            *("-device", "virtserialport,chardev=guest,name=org.qemu.guest_agent.0"),
            *("-netdev", network, "-device", "virtio-net-pci,netdev=net,romfile="),
            *("-device", "VGA", "-display", "none"),
        ]


SANDBOX: Final = (
    "-sandbox",
    "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
)


def disk(nodes: Sequence[BlockNode], name: str, *, boots: bool) -> list[str]:
    """Give a disk, which its guest knows by its name, of nodes whose last has that name."""
    words = [word for node in nodes for word in ("-blockdev", json.dumps(node))]
    order = ",bootindex=0" if boots else ""
    return [*words, "-device", f"virtio-blk-pci,drive={name},serial={name}{order}"]


def medium(path: Path) -> list[str]:
    """Give the disk with guest tools, which nobody writes to."""
    file = {"driver": "file", "filename": str(path), "read-only": True}
    node = {"driver": "raw", "node-name": "tools", "read-only": True, "file": file}
    return ["-blockdev", json.dumps(node), "-device", f"virtio-blk-pci,drive=tools,serial={SERIAL}"]


def file_node(name: str, path: Path) -> BlockNode:
    """Give the node of a file that a node of that name is in."""
    return {
        "driver": "file",
        "node-name": f"{name}-file",
        "filename": str(path),
        "discard": "unmap",
    }


def qcow2_node(name: str, backing: str | None) -> BlockNode:
    """Give the node of a disk in qcow2, over another one."""
    return {
        "driver": "qcow2",
        "node-name": name,
        "file": f"{name}-file",
        "backing": backing,
        "discard": "unmap",
    }


def _socket(name: str, path: Path) -> str:
    return f"socket,id={name},path={path},server=on,wait=off"
