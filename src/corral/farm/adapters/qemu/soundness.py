"""Whether a disk image file is whole.

QEMU opens a truncated image without a word and reads zeros where its end is missing, so that a
copy which stopped half way would be published as a disk with holes.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from corral.farm.adapters.qemu import programs
from corral.farm.adapters.qemu.block_graph import refusal
from corral.farm.application.ports.disk_files import DiskFormat
from corral.farm.domain.image.errors import DiskDamagedError

if TYPE_CHECKING:
    from pathlib import Path

    from corral.farm.adapters.qemu.block_graph import Layer

_CHECKED: Final = frozenset({DiskFormat.QCOW2, DiskFormat.VHDX, DiskFormat.VMDK, DiskFormat.VDI})


def refuse_damaged(layer: Layer) -> None:
    """Raise ``DiskDamagedError`` if the file's own books say that it is not whole."""
    try:
        if layer.format in _CHECKED:
            _check(layer)
        if layer.format is not DiskFormat.RAW:
            _refuse_truncated(layer)
    except programs.QemuError as error:
        raise refusal(layer.path, error) from error


def _check(layer: Layer) -> None:
    answer = json.loads(programs.query(["check", "--output=json", programs.file_name(layer.node)]))
    damages = int(answer.get("corruptions", 0)) + int(answer.get("check-errors", 0))
    if damages:
        end = int(answer.get("image-end-offset", 0))
        raise DiskDamagedError(layer.path, _sentence(layer.path, damages, end))


def _sentence(path: Path, damages: int, end: int) -> str:
    if end > path.stat().st_size:
        return "it is truncated"
    return f"qemu-img check finds {damages} places that contradict each other or lie past its end"


def _refuse_truncated(layer: Layer) -> None:
    """Look where the disk's data lies in the file: the check lets up to a cluster be missing.

    Of several files, the map does not say which one it means: none has data behind the longest.
    """
    sizes = {file: file.path.stat().st_size for file in layer.files}
    for file, size in sizes.items():
        if size < file.least_bytes:
            reason = f"{file.path.name} is truncated: {size} of {file.least_bytes} bytes are there"
            raise DiskDamagedError(layer.path, reason)
    longest = max(sizes.values())
    arguments = ["map", "--output=json", programs.file_name(layer.node)]
    with programs.answering(arguments) as process:
        said = ""
        for line in process.stdout or ():
            # One extent a line; a fragmented disk has millions, so they are not kept.
            text = line.strip().lstrip("[").rstrip("],")
            if not text.startswith("{"):
                said = text or said
                continue
            extent = json.loads(text)
            if not extent.get("data") or "offset" not in extent:
                continue
            if int(extent["offset"]) + int(extent["length"]) > longest:
                raise DiskDamagedError(layer.path, "it is truncated: it names data past its end")
        if process.wait() != 0:
            raise programs.QemuError(programs.last_line(said))
