"""The layer with guest tools between a shared machine's version and its system disk.

It is the system disk of the start in which they were installed: nothing is copied. Each move is a
rename, told by the machine's record, which is kept before; done twice, it does no harm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.engine.adapters.files import make_durable, reason_of
from corral.engine.domain.failures import ProcessFailedError
from corral.engine.domain.machine.tools_record import ToolsStage

if TYPE_CHECKING:
    from pathlib import Path

    from corral.engine.adapters.qemu.places import Places
    from corral.engine.domain.machine.record import Machine


def is_at(machine: Machine, stage: ToolsStage) -> bool:
    """Whether its tools are in a stage, over the version in place."""
    tools, current = machine.tools, machine.current
    is_of_this = tools is not None and current is not None and tools.root == current.root
    return is_of_this and tools is not None and tools.stage is stage


def layer_of(machine: Machine, places: Places) -> Path | None:
    """Give what its system disk is over, beside its version."""
    tools = machine.tools
    if tools is None or is_at(machine, ToolsStage.INSTALLING):
        return None
    release = tools.release if is_at(machine, ToolsStage.ON_TRIAL) else tools.kept
    if release is None or not places.layer(release).exists():
        return None
    return places.layer(release)


def put_layers(machine: Machine, places: Places) -> None:
    """Have the files be as the record says, before a system disk is made anew."""
    tools = machine.tools
    kept = set() if tools is None or tools.kept is None else {places.layer(tools.kept)}
    try:
        if tools is not None and is_at(machine, ToolsStage.ON_TRIAL):
            tried = places.layer(tools.release)
            if not tried.exists():
                places.system.rename(tried)
            kept.add(tried)
        for layer in set(places.layers()) - kept:
            layer.unlink()
        make_durable(places.folder)
    except OSError as error:
        reason = f"its guest tools cannot be put in place: {reason_of(error)}"
        raise ProcessFailedError(places.folder.name, reason) from error
