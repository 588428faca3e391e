"""Where the writes of streamed devices go."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from corral.farm.domain.errors import InvalidInputError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from corral.farm.domain.delivery.device import DeviceId


class ImageMode(StrEnum):
    """How many devices an image is for."""

    SHARED = "shared"
    """Many readers; what a device writes goes to its write cache."""
    CUSTOM = "custom"
    """One device, which keeps what it writes."""


class WriteCache(StrEnum):
    """Where a device of a shared image keeps what it writes, and for how long."""

    DEVICE_RAM = "device-ram"
    DEVICE_RAM_OVERFLOW = "device-ram-overflow"
    """RAM first; what does not fit goes to the device's disk."""
    DEVICE_DISK = "device-disk"
    DEVICE_DISK_PERSISTENT = "device-disk-persistent"
    """Kept over a restart, until the device starts another version."""
    SERVER = "server"
    """On a server, given up at the device's next start."""
    SERVER_PERSISTENT = "server-persistent"
    """On a server, kept until the device starts another version, or it is reset."""

    @property
    def needs_disk(self) -> bool:
        """Whether the device must have a disk of its own for it."""
        return self in _ON_DISK

    @property
    def is_on_server(self) -> bool:
        """Whether a server keeps it."""
        return self in _ON_SERVER

    @property
    def is_persistent(self) -> bool:
        """Whether it outlives a restart of the device."""
        return self in _PERSISTENT


_ON_DISK: Final = frozenset(
    {WriteCache.DEVICE_RAM_OVERFLOW, WriteCache.DEVICE_DISK, WriteCache.DEVICE_DISK_PERSISTENT}
)
_ON_SERVER: Final = frozenset({WriteCache.SERVER, WriteCache.SERVER_PERSISTENT})
_PERSISTENT: Final = frozenset({WriteCache.DEVICE_DISK_PERSISTENT, WriteCache.SERVER_PERSISTENT})


class CacheFallback(StrEnum):
    """What a device does whose cache disk is missing."""

    DEVICE_RAM = "device-ram"
    SERVER = "server"
    REFUSE = "refuse"
    """It does not start: what it writes must not fill its memory, nor a server."""


class CacheLimitInvalidError(InvalidInputError):
    """A write cache holds at least one mebibyte."""

    code = "cache-limit-invalid"

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(
            f"a write cache of {limit_bytes} bytes is too small to start with: give it 1 MiB at the"
            " least, or no limit of its own"
        )


class CacheDiskMissingError(RefusedError):
    """A device without its cache disk starts only if its image says what it should do instead."""

    code = "cache-disk-missing"

    def __init__(self, device: str, kind: str) -> None:
        super().__init__(
            f"device {device!r} found no disk for its write cache ({kind}), and the image refuses"
            " to start without: mend the disk, or give the device another write cache with"
            f" 'corral device set-cache {device}'"
        )


class ImageCustomError(RefusedError):
    """A custom image is for one device, which keeps what it writes."""

    code = "image-custom"

    def __init__(self, image: str, devices: Sequence[str]) -> None:
        super().__init__(
            f"image {image!r} can be custom for one device only, and {', '.join(devices)} would"
            " share it: assign another image to the others, or import the disk as an image of"
            " its own for each"
        )


class ImageStreamedError(RefusedError):
    """The mode of an image is changed while no device runs it."""

    code = "image-streamed"

    def __init__(self, image: str, devices: Sequence[str]) -> None:
        super().__init__(
            f"image {image!r} is being streamed ({', '.join(devices)}), and what its devices write"
            " goes elsewhere in the other mode: shut them down first"
        )


_LEAST_BYTES: Final = 1 << 20


@dataclass(frozen=True)
class CacheSetting:
    """What an image, or one device instead, is to use."""

    kind: WriteCache = WriteCache.DEVICE_RAM
    limit_bytes: int | None = None
    """None leaves the size to the device, or to the server that keeps it."""
    fallback: CacheFallback = CacheFallback.DEVICE_RAM

    def __post_init__(self) -> None:
        if self.limit_bytes is not None and self.limit_bytes < _LEAST_BYTES:
            raise CacheLimitInvalidError(self.limit_bytes)

    def without_disk(self, device: str) -> WriteCache:
        """Give what is used where the device has no disk for it; refused if the setting says so."""
        if not self.kind.needs_disk:
            return self.kind
        if self.fallback is CacheFallback.REFUSE:
            raise CacheDiskMissingError(device, self.kind)
        return WriteCache(self.fallback.value)


PLAIN_CACHE: Final = CacheSetting()
"""What every image begins with."""


@dataclass(frozen=True)
class UsedCache:
    """What a device last said that it really uses."""

    kind: WriteCache
    at: datetime
    limit_bytes: int | None = None
    used_bytes: int | None = None
    problem: str = ""
    """Why it uses another one than it was told to, in the device's words."""


@dataclass(frozen=True)
class DeviceCache:
    """A device's own setting, if it has one, and what it uses."""

    device_id: DeviceId
    setting: CacheSetting | None = None
    used: UsedCache | None = None

    @property
    def id(self) -> DeviceId:
        """What the audit log calls it by."""
        return self.device_id

    def warning(self, of_image: CacheSetting) -> str:
        """Say what is not as it should be; nothing if all is well."""
        used, wanted = self.used, self.setting or of_image
        if used is None:
            return ""
        if used.kind is not wanted.kind:
            return f"uses {used.kind} instead of {wanted.kind}" + (
                f": {used.problem}" if used.problem else ""
            )
        if used.limit_bytes and used.used_bytes is not None:
            percent = 100 * used.used_bytes // used.limit_bytes
            if percent >= _NEARLY_FULL_PERCENT:
                return f"write cache is {percent} % full"
        return used.problem


_NEARLY_FULL_PERCENT: Final = 80
