"""What this computer and this engine are."""

from __future__ import annotations

import os
import platform
import shutil
from importlib.metadata import version
from typing import TYPE_CHECKING

from corral.engine.application.ports import Facts

if TYPE_CHECKING:
    from pathlib import Path

    from corral.engine.domain.machine.seen import Abilities


def release() -> str:
    """Give the release of this engine."""
    return version("corral")


def facts_of(state: Path, abilities: Abilities, *, has_kvm: bool) -> Facts:
    """Give the facts of this moment."""
    usage = shutil.disk_usage(state)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Facts(
        release=release(),
        architecture=platform.machine(),
        image_formats=tuple(sorted(abilities.image_formats)),
        guest_tools=abilities.guest_tools,
        has_kvm=has_kvm,
        memory_bytes=memory,
        disk_bytes=usage.total,
        disk_free_bytes=usage.free,
    )
