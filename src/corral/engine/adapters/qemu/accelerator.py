"""By what this computer runs virtual machines, found out by trying."""

from __future__ import annotations

import platform
import shutil
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from corral.engine.adapters.files import write_whole
from corral.engine.domain.failures import ProgramMissingError
from corral.guest.accelerator import EMULATION, Accelerator, find_kvm

if TYPE_CHECKING:
    from pathlib import Path

QEMU: Final = "qemu-system-x86_64"


class Choice(StrEnum):
    """What somebody wants machines to be run by."""

    AUTO = "auto"
    KVM = "kvm"
    EMULATION = "emulation"


def program(name: str = QEMU, package: str = "qemu-system-x86") -> str:
    """Give the path of a program of QEMU's."""
    path = shutil.which(name, path="/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin")
    if path is None:
        raise ProgramMissingError(name, package)
    return path


def find_accelerator(choice: Choice, broken: Path) -> Accelerator:
    """Start an empty machine with KVM; where none starts, guests are emulated.

    That a machine starts does not mean that all do: within another virtual machine, the kernel may
    give up half way. ``broken`` is where it is written that this kernel did.
    """
    is_known_broken = choice is Choice.AUTO and broken.exists() and _told(broken) == _kernel()
    if choice is Choice.EMULATION or is_known_broken:
        return EMULATION
    return find_kvm(program()) or EMULATION


def note_broken(broken: Path) -> None:
    """Write down that this kernel cannot run guests, until there is another one."""
    write_whole(broken, _kernel().encode())


def _told(broken: Path) -> str:
    return broken.read_text("utf-8").strip()


def _kernel() -> str:
    return platform.release()
