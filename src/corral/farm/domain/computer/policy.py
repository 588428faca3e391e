"""How virtual machines of an image are run on computers."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

from corral.farm.domain.computer.errors import MachinePolicyInvalidError

if TYPE_CHECKING:
    from corral.farm.domain.image.image import ImageId

_BOUNDS: Final = {
    "memory_mib": ("the memory in MiB", 64, 1 << 20),
    "processors": ("the number of processors", 1, 256),
    "user_disk_bytes": ("the size of the user disk in bytes", 0, 1 << 50),
    "prove_within_seconds": ("the seconds in which a version proves itself", 10, 86_400),
    "soak_seconds": ("the seconds for which it must stay healthy", 0, 604_800),
    "postpone_seconds": ("the seconds for which a restart can be put off", 0, 31_536_000),
}


@dataclass(frozen=True)
class MachinePolicy:
    """How a virtual machine is run, and how it takes a new version.

    Raises ``MachinePolicyInvalidError`` for what an engine could not do.
    """

    memory_mib: int = 1024
    processors: int = 1
    user_disk_bytes: int = 0
    """The size of the disk that outlives each start of a shared one; 0 for none."""
    prove_within_seconds: int = 600
    """A new version whose guest agent is not healthy for so long is taken back."""
    soak_seconds: int = 60
    """How long it must stay healthy before it counts as proven."""
    postpone_seconds: int = 0
    """How long its user may put a restart off; 0 for as long as they like."""
    starts_itself: bool = False
    """Whether it is started with the engine."""
    is_disabled: bool = False
    """Not to be started; nothing is deleted."""

    def __post_init__(self) -> None:
        for field in fields(self):
            if field.name in _BOUNDS:
                what, least, most = _BOUNDS[field.name]
                if not least <= getattr(self, field.name) <= most:
                    raise MachinePolicyInvalidError(what, least, most)


USUAL_POLICY: Final = MachinePolicy()


@dataclass(frozen=True)
class ImagePolicy:
    """The policy of one image."""

    image_id: ImageId
    policy: MachinePolicy = USUAL_POLICY
    revision: int = 1
