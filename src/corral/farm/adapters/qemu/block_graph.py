"""From a disk image file to the graph of all its layers, each checked before it is opened.

Which files an image may name: only files in its own folder or below it, after symbolic links. A
backing file elsewhere is refused even if the person may read it: whoever made the image would
choose what is published, and ``/etc/shadow`` as the backing file of an upload would be streamed
to devices. The way out is to flatten the image where it was made.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from corral.farm.adapters.qemu import programs
from corral.farm.adapters.qemu.recognition import (
    SECTOR_BYTES,
    is_differencing_vhd,
    keeps_data_elsewhere,
    recognise,
)
from corral.farm.adapters.qemu.vmdk import read_descriptor
from corral.farm.application.ports.disk_files import DiskFormat
from corral.farm.domain.image.errors import (
    DiskBackingMissingError,
    DiskBackingOutsideError,
    DiskDamagedError,
    DiskNotAnImageError,
    DiskUnreadableError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

DRIVERS: Final[Mapping[DiskFormat, str]] = MappingProxyType(
    {
        DiskFormat.RAW: "raw",
        DiskFormat.QCOW2: "qcow2",
        DiskFormat.VHD: "vpc",
        DiskFormat.VHDX: "vhdx",
        DiskFormat.VMDK: "vmdk",
        DiskFormat.VDI: "vdi",
    }
)
_FORMATS: Final[Mapping[str, DiskFormat]] = MappingProxyType(
    {driver: disk_format for disk_format, driver in DRIVERS.items()}
)
_MAX_LAYERS: Final = 64


@dataclass(frozen=True)
class DataFile:
    """A file with bytes of the disk."""

    path: Path
    least_bytes: int = 0
    """What it has if it is whole, as far as the layer says so."""


@dataclass(frozen=True)
class Layer:
    """One image of a chain."""

    path: Path
    format: DiskFormat
    size_bytes: int
    node: programs.BlockNode
    """The layer alone, without what it builds on."""
    files: tuple[DataFile, ...]
    """The image's own file, but for a VMDK that only names others."""


def layers_of(path: Path, wanted: DiskFormat | None) -> tuple[Layer, ...]:
    """Give the layers of an image, the image itself first; raises as the port says."""
    top = _resolved(path)
    layers: list[Layer] = []
    following: tuple[Path, DiskFormat | None] | None = (top, wanted)
    while following is not None:
        file, declared = following
        if len(layers) == _MAX_LAYERS or any(layer.path == file for layer in layers):
            raise DiskDamagedError(path, f"its chain of backing files does not end at {file}")
        layer, following = _look_at(file, declared, top.parent)
        layers.append(layer)
    return tuple(layers)


def graph_of(layers: tuple[Layer, ...]) -> programs.BlockNode:
    """Give the whole chain as one graph for QEMU."""
    graph: programs.BlockNode | None = None
    for layer in reversed(layers):
        graph = layer.node if layer.format is DiskFormat.RAW else {**layer.node, "backing": graph}
        if layer.format not in _WITH_BACKING:
            graph = layer.node
    if graph is None:
        message = "a chain has at least one layer"
        raise ValueError(message)
    return graph


_WITH_BACKING: Final = frozenset({DiskFormat.QCOW2, DiskFormat.VMDK})


def _resolved(path: Path) -> Path:
    try:
        return path.resolve(strict=True)
    except OSError as error:
        raise DiskUnreadableError(path, _reason(error)) from error


def _look_at(
    path: Path, declared: DiskFormat | None, folder: Path
) -> tuple[Layer, tuple[Path, DiskFormat | None] | None]:
    disk_format = _format_of(path, declared)
    if disk_format is DiskFormat.RAW:
        return _raw_layer(path), None
    parent: str | None = None
    files: tuple[DataFile, ...] = ()
    if disk_format is DiskFormat.QCOW2 and keeps_data_elsewhere(path):
        raise DiskNotAnImageError(path, "it is a qcow2 that keeps its data in another file")
    if disk_format is DiskFormat.VHD and is_differencing_vhd(path):
        raise DiskNotAnImageError(path, "it is a VHD that holds only differences to its parent")
    if disk_format is DiskFormat.VMDK:
        descriptor = read_descriptor(path)
        parent = descriptor.parent
        files = tuple(
            DataFile(_beside(path, extent.name, folder), extent.least_bytes)
            for extent in descriptor.extents
        )
    node: programs.BlockNode = {
        "driver": DRIVERS[disk_format],
        "file": _own_file(path, disk_format),
    }
    if disk_format in _WITH_BACKING:
        node["backing"] = None
    information = _information(path, node)
    size = int(information["virtual-size"])
    layer = Layer(path, disk_format, size, node, files or (DataFile(path),))
    parent = information.get("backing-filename") or parent
    if parent is None:
        return layer, None
    format_name = information.get("backing-filename-format")
    if format_name is not None and format_name not in _FORMATS:
        raise DiskNotAnImageError(path, f"it builds on a file of format {format_name!r}")
    backing_format = None if format_name is None else _FORMATS[format_name]
    return layer, (_beside(path, parent, folder), backing_format)


def _own_file(path: Path, disk_format: DiskFormat) -> programs.BlockNode:
    file: programs.BlockNode = {"driver": "file", "filename": str(path)}
    if disk_format is not DiskFormat.VHDX:
        return file
    # QEMU compares where a VHDX says its blocks are with the file's size rounded up to sectors, and
    # would read zeros for the bytes of a last sector that are missing.
    whole_sectors = path.stat().st_size // SECTOR_BYTES * SECTOR_BYTES
    return {"driver": "raw", "size": whole_sectors, "file": file}


def _format_of(path: Path, declared: DiskFormat | None) -> DiskFormat:
    if declared is DiskFormat.RAW:
        return declared
    try:
        if path.is_dir():
            raise DiskNotAnImageError(path, "it is a folder")
        found = recognise(path)
    except OSError as error:
        raise DiskUnreadableError(path, _reason(error)) from error
    if declared is not None and found is not declared:
        looks = "no disk image that is known" if found is None else found
        raise DiskNotAnImageError(path, f"it was said to be {declared}, and looks like {looks}")
    if found is None:
        reason = "it has no format's mark, and no partition table or file system of a raw disk"
        raise DiskNotAnImageError(path, reason)
    if found is not DiskFormat.RAW and declared is None and path.suffix.lower() == ".raw":
        # What a guest writes at the start of its raw disk must not decide how the disk is read.
        reason = f"it is named .raw and begins like a {found}; say which it is with --format"
        raise DiskNotAnImageError(path, reason)
    return found


def _raw_layer(path: Path) -> Layer:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
    except OSError as error:
        raise DiskUnreadableError(path, _reason(error)) from error
    if size == 0 or size % SECTOR_BYTES:
        reason = f"a raw disk consists of sectors of {SECTOR_BYTES} bytes, and it has {size} bytes"
        raise DiskNotAnImageError(path, reason)
    node = {"driver": "raw", "file": {"driver": "file", "filename": str(path)}}
    return Layer(path, DiskFormat.RAW, size, node, (DataFile(path),))


def _beside(image: Path, name: str, folder: Path) -> Path:
    before_slash = name.split("/", 1)[0]
    if ":" in before_slash:  # json:…, nbd:…, https:…: what QEMU would take for a protocol
        raise DiskBackingOutsideError(image, name)
    path = image.parent / name
    try:
        resolved = path.resolve(strict=True)
    except OSError:
        if not path.resolve().is_relative_to(folder):
            raise DiskBackingOutsideError(image, name) from None
        raise DiskBackingMissingError(image, name) from None
    if not resolved.is_relative_to(folder) or not resolved.is_file():
        raise DiskBackingOutsideError(image, name)
    return resolved


def _information(path: Path, node: programs.BlockNode) -> dict[str, str]:
    try:
        answer: dict[str, str] = json.loads(
            programs.query(["info", "--output=json", programs.file_name(node)])
        )
    except programs.QemuError as error:
        raise refusal(path, error) from error
    return answer


def refusal(path: Path, error: programs.QemuError) -> DiskDamagedError | DiskUnreadableError:
    """Say in our words why QEMU would not open a file whose mark is right."""
    reason = str(error).replace(str(path), path.name)
    if "Is another process using the image" in reason:  # the last line of what QEMU says
        return DiskUnreadableError(path, "a running machine is writing to it; shut it down first")
    if "Permission denied" in reason:
        return DiskUnreadableError(path, "permission denied")
    if programs.TRUNCATED in reason:
        return DiskDamagedError(path, "it is truncated: it names data past its end")
    return DiskDamagedError(path, reason)


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
