"""By what a machine runs guests, found out by trying."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_SECONDS: Final = 20.0
_KVM: Final = Path("/dev/kvm")
# Within another virtual machine, the processor's list of its own weaknesses may not be settable.
_HOST_PROCESSORS: Final = ("host", "host,arch-capabilities=off")


@dataclass(frozen=True)
class Accelerator:
    """What QEMU is told."""

    name: str
    processor: str

    @property
    def is_kvm(self) -> bool:
        """Whether guests run on the processor itself."""
        return self.name == "kvm"

    def words(self) -> list[str]:
        """Give the arguments."""
        accelerator = "kvm" if self.is_kvm else "tcg,thread=multi,tb-size=256"
        return ["-accel", accelerator, "-cpu", self.processor]


EMULATION: Final = Accelerator("tcg", "max")


def find_kvm(qemu: str) -> Accelerator | None:
    """Start an empty machine with KVM, by a program of QEMU's; None where none starts."""
    if not _KVM.exists():
        return None
    for processor in _HOST_PROCESSORS:
        accelerator = Accelerator("kvm", processor)
        if _starts(qemu, accelerator):
            return accelerator
    return None


def _starts(qemu: str, accelerator: Accelerator) -> bool:
    command = [
        *(qemu, *accelerator.words(), "-machine", "q35", "-m", "16", "-S"),
        *("-nodefaults", "-no-user-config", "-display", "none", "-qmp", "stdio"),
    ]
    words = b'{"execute":"qmp_capabilities"}{"execute":"cont"}{"execute":"quit"}'
    try:
        tried = subprocess.run(  # noqa: S603 - no shell, nothing from outside
            command, input=words, capture_output=True, timeout=_SECONDS, check=False
        )
    except (subprocess.TimeoutExpired, OSError):
        return False
    return tried.returncode == 0
