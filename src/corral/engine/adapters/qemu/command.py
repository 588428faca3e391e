"""What QEMU is told when a virtual machine is started."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from corral.engine.adapters.qemu.accelerator import program
from corral.guest.hardware import (
    SANDBOX,
    SYSTEM,
    BlockNode,
    Board,
    disk,
    file_node,
    medium,
    qcow2_node,
)

if TYPE_CHECKING:
    from pathlib import Path

    from corral.engine.adapters.qemu.places import Places
    from corral.engine.domain.machine.record import Machine
    from corral.guest.accelerator import Accelerator

SUSPENDED: Final = "corral-suspended"
"""The snapshot that holds a suspended machine's memory."""

_RECONNECT_SECONDS: Final = 86_400
"""A guest's reads wait so long for a disk process that is away, rather than fail."""

_OPEN_SECONDS: Final = 30


@dataclass(frozen=True)
class Disks:
    """What a machine is given beside its system disk."""

    socket: Path
    """Of the disk process."""
    has_user_disk: bool
    layer: Path | None = None
    """Between its version and its system disk."""
    tools: Path | None = None
    """The medium of guest tools."""


def command(machine: Machine, places: Places, accelerator: Accelerator, disks: Disks) -> list[str]:
    """Give the words."""
    start = machine.start
    board = Board(
        name=str(machine.key),
        process=f"corral:{places.short}",
        memory_mib=machine.policy.memory_mib,
        processors=machine.policy.processors,
        accelerator=accelerator,
        monitor=places.monitor,
        agent=places.guest,
    )
    words = [
        *(program(), *board.words(), "-vnc", f"unix:{places.display}"),
        *disk(_system(machine, places, disks), SYSTEM, boots=True),
    ]
    if disks.has_user_disk:
        words += disk(
            [file_node("user", places.user), qcow2_node("user", None)], "user", boots=False
        )
    if disks.tools is not None:
        words += medium(disks.tools)
    if start is not None and start.is_resumed:
        words += ["-loadvm", SUSPENDED]
    return [*words, *SANDBOX, "-pidfile", str(places.pid)]


def _system(machine: Machine, places: Places, disks: Disks) -> list[BlockNode]:
    nodes = [file_node(SYSTEM, places.system)]
    if machine.current is None:
        return [*nodes, qcow2_node(SYSTEM, None)]
    base: BlockNode = {
        "driver": "nbd",
        "node-name": "base",
        "server": {"type": "unix", "path": str(disks.socket)},
        "export": machine.current.root,
        "read-only": True,
        "reconnect-delay": _RECONNECT_SECONDS,
        "open-timeout": _OPEN_SECONDS,
    }
    if disks.layer is None:
        return [base, *nodes, qcow2_node(SYSTEM, "base")]
    layer = [
        {**file_node("layer", disks.layer), "read-only": True},
        {**qcow2_node("layer", "base"), "read-only": True},
    ]
    return [base, *layer, *nodes, qcow2_node(SYSTEM, "layer")]
