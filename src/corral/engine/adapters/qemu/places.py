"""Where the files and sockets of one virtual machine are."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from corral.engine.adapters.state_folder import StateFolder
    from corral.engine.domain.machine.record import MachineKey

_NAME_LETTERS = 12


@dataclass(frozen=True)
class Places:
    """The folder of one machine, and its sockets, whose paths may not be long."""

    folder: Path
    sockets: Path
    short: str

    @classmethod
    def of(cls, state: StateFolder, key: MachineKey) -> Places:
        """Give the places of a machine."""
        short = hashlib.sha256(str(key).encode()).hexdigest()[:_NAME_LETTERS]
        return cls(state.machine(key), state.sockets, short)

    @property
    def lock(self) -> Path:
        """Held by its process as long as it lives, and by who starts it."""
        return self.folder / "lock"

    @property
    def pid(self) -> Path:
        """Its process id."""
        return self.folder / "pid"

    @property
    def log(self) -> Path:
        """What QEMU says when it does not start."""
        return self.folder / "qemu.log"

    @property
    def system(self) -> Path:
        """What it has written to its system disk."""
        return self.folder / "system.qcow2"

    def layer(self, tools: str) -> Path:
        """Give a release of guest tools over its version, which its system disk is made over."""
        return self.folder / f"tools-{tools}.qcow2"

    def layers(self) -> Iterator[Path]:
        """Give all of those."""
        return self.folder.glob("tools-*.qcow2")

    @property
    def user(self) -> Path:
        """The disk that outlives each start."""
        return self.folder / "user.qcow2"

    @property
    def monitor(self) -> Path:
        """Where QEMU is spoken to."""
        return self.sockets / f"{self.short}.qmp"

    @property
    def guest(self) -> Path:
        """Where its guest agent is spoken to."""
        return self.sockets / f"{self.short}.qga"

    @property
    def display(self) -> Path:
        """Where its screen is seen, by VNC."""
        return self.sockets / f"{self.short}.vnc"
