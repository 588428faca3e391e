"""What a VMDK's descriptor names, read before QEMU may open any of it."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_SECTOR_BYTES: Final = 512
_HEADER_BYTES: Final = 44
_MAX_DESCRIPTOR_BYTES: Final = (
    64 * 1024
)  # VMware writes 10 KiB; a split disk of 2 TB has 1,024 lines

_EXTENT: Final = re.compile(
    rb'^[ \t]*(?:RW|RDONLY|NOACCESS)[ \t]+(\d+)[ \t]+(\w+)[ \t]+"([^"\n]*)"(?:[ \t]+(\d+))?',
    re.MULTILINE,
)
_PLAIN: Final = (b"FLAT", b"VMFS")  # the disk's bytes as they are, without books of their own
_PARENT: Final = re.compile(
    rb'^[ \t]*parentFileNameHint[ \t]*=[ \t]*"([^"\n]*)"', re.MULTILINE | re.IGNORECASE
)


@dataclass(frozen=True)
class Extent:
    """A file with a part of the disk."""

    name: str
    least_bytes: int
    """What the file has if it is whole; 0 for one that keeps books of its own."""


@dataclass(frozen=True)
class Descriptor:
    """The other files of a VMDK."""

    extents: tuple[Extent, ...]
    parent: str | None


def read_descriptor(path: Path) -> Descriptor:
    """Read the descriptor, which is either the file itself or lies inside a sparse one."""
    with path.open("rb") as file:
        head = file.read(_HEADER_BYTES)
        file.seek(0)
        names_extents = True
        length = _MAX_DESCRIPTOR_BYTES
        if head.startswith(b"KDMV"):
            # A sparse file with a capacity is the one extent itself, whatever its descriptor says.
            names_extents = int.from_bytes(head[12:20], "little") == 0
            file.seek(min(int.from_bytes(head[28:36], "little") * _SECTOR_BYTES, 1 << 62))
            length = min(length, int.from_bytes(head[36:44], "little") * _SECTOR_BYTES)
        elif head.startswith(b"COWD"):
            return Descriptor((), None)
        text = file.read(length).split(b"\0", 1)[0]
    parent = _PARENT.search(text)
    return Descriptor(
        extents=tuple(map(_extent, _EXTENT.finditer(text))) if names_extents else (),
        parent=_text(parent[1]) if parent else None,
    )


def _extent(line: re.Match[bytes]) -> Extent:
    sectors, kind, name, start = line.groups()
    least = (int(start or 0) + int(sectors)) * _SECTOR_BYTES if kind in _PLAIN else 0
    return Extent(_text(name), least)


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
