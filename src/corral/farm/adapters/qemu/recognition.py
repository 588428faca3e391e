"""Which disk format a file has, told from its content.

Done here and not by QEMU's probing, because QEMU takes whatever it does not know for raw, so that a
text file is a disk, and because what a guest wrote into a raw disk could make that disk a qcow2
which names files of the host.
"""

import os
from typing import BinaryIO, Final

from corral.farm.application.ports.disk_files import DiskFormat

SECTOR_BYTES: Final = 512

_VHD_COOKIE: Final = b"conectix"
_VHD_DISK_TYPE_OFFSET: Final = 60
_VHD_DIFFERENCING: Final = 4

_AT_START: Final[tuple[tuple[int, bytes, DiskFormat], ...]] = (
    (0, b"QFI\xfb", DiskFormat.QCOW2),
    (0, b"vhdxfile", DiskFormat.VHDX),
    (0, b"KDMV", DiskFormat.VMDK),
    (0, b"COWD", DiskFormat.VMDK),
    (0, b"# Disk DescriptorFile", DiskFormat.VMDK),
    (0x40, b"\x7f\x10\xda\xbe", DiskFormat.VDI),
    (0, _VHD_COOKIE, DiskFormat.VHD),
)

_QCOW2_FEATURES_OFFSET: Final = 72
_QCOW2_WITH_FEATURES: Final = 3
_QCOW2_EXTERNAL_DATA: Final = 1 << 2

# A raw disk has no mark of its own, so that only what lies on it tells.
_ON_A_RAW_DISK: Final[tuple[tuple[int, bytes], ...]] = (
    (510, b"\x55\xaa"),  # boot sector: MBR, GPT's protective MBR, FAT, NTFS
    (512, b"EFI PART"),
    (4096, b"EFI PART"),  # GPT on 4 KiB sectors
    (0x438, b"\x53\xef"),  # ext2, ext3, ext4
    (0, b"XFSB"),
    (0x10040, b"_BHRfS_M"),  # btrfs
    (0, b"hsqs"),  # squashfs
    (0x400, b"\xe2\xe1\xf5\xe0"),  # EROFS
    (0x400, b"\x10\x20\xf5\xf2"),  # F2FS
    (0x8001, b"CD001"),  # ISO 9660
    (512, b"LABELONE"),  # LVM
    (0, b"LUKS\xba\xbe"),
    (4086, b"SWAPSPACE2"),
)
_HEAD_BYTES: Final = 0x10048


def recognise(path: str | os.PathLike[str]) -> DiskFormat | None:
    """Return the format of the file, or None if nothing on it looks like a disk."""
    with open(path, "rb") as file:  # noqa: PTH123 - a descriptor is all that is wanted
        head = file.read(_HEAD_BYTES)
        size = file.seek(0, os.SEEK_END)
        for offset, mark, disk_format in _AT_START:
            if head[offset : offset + len(mark)] == mark:
                return disk_format
        if _vhd_footer(file, size) is not None:  # a fixed VHD has its only mark at the end
            return DiskFormat.VHD
    if any(head[offset : offset + len(mark)] == mark for offset, mark in _ON_A_RAW_DISK):
        return DiskFormat.RAW
    return None


def is_differencing_vhd(path: str | os.PathLike[str]) -> bool:
    """Say whether a VHD keeps only the differences to a parent, which QEMU would read as zeros."""
    with open(path, "rb") as file:  # noqa: PTH123 - as above
        footer = _vhd_footer(file, file.seek(0, os.SEEK_END))
    if footer is None:
        return False
    kind = footer[_VHD_DISK_TYPE_OFFSET : _VHD_DISK_TYPE_OFFSET + 4]
    return int.from_bytes(kind, "big") == _VHD_DIFFERENCING


def keeps_data_elsewhere(path: str | os.PathLike[str]) -> bool:
    """Say whether a qcow2 names another file that holds its data."""
    with open(path, "rb") as file:  # noqa: PTH123 - as above
        header = file.read(_QCOW2_FEATURES_OFFSET + 8)
    version = int.from_bytes(header[4:8], "big")
    features = int.from_bytes(header[_QCOW2_FEATURES_OFFSET:], "big")
    return version >= _QCOW2_WITH_FEATURES and bool(features & _QCOW2_EXTERNAL_DATA)


def _vhd_footer(file: BinaryIO, size: int) -> bytes | None:
    # Footers of 511 bytes were written by old Virtual PC; the copy at the start is whole.
    for start in (size - SECTOR_BYTES, size - SECTOR_BYTES + 1, 0):
        if start < 0:
            continue
        file.seek(start)
        footer = file.read(SECTOR_BYTES)
        if footer.startswith(_VHD_COOKIE):
            return footer
    return None
