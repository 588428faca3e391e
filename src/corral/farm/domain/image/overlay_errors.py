"""The rules of writing over a version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.domain.errors import (
    EnvironmentFaultError,
    RefusedError,
    TryAgainError,
    UnknownThingError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


class OverlayUnknownError(UnknownThingError):
    """The farm knows no overlay of that id: it was sealed, or given up."""

    code = "overlay-unknown"

    def __init__(self, overlay: str) -> None:
        super().__init__(f"there is no overlay {overlay}: it was sealed, or given up")


class OverlayHeldError(TryAgainError):
    """What a device wrote is open in one process at a time."""

    code = "overlay-held"

    def __init__(self, overlay: str) -> None:
        super().__init__(
            f"another process has overlay {overlay} open, its server's stream process most likely:"
            " that one seals it as soon as it reaches the farm; else end it, then try again"
        )


class OverlayTransitionError(RefusedError):
    """An overlay is opened and sealed only as the table in ``domain.image.overlay`` says."""

    code = "overlay-transition"

    def __init__(self, kind: str, phase: str, event: str) -> None:
        super().__init__(
            f"an overlay ({kind}) that is {phase} cannot take '{event}':"
            " 'corral image show' says how far it is"
        )


class OverlayChangedError(TryAgainError):
    """Somebody else changed the overlay between this command's look and its write."""

    code = "overlay-changed"

    def __init__(self, overlay: str) -> None:
        super().__init__(
            f"overlay {overlay} was changed in the meantime, nothing was written:"
            " look again and repeat the command"
        )


class OverlayNotReadyError(TryAgainError):
    """A device comes to its overlay when the server has made it."""

    code = "overlay-not-ready"

    def __init__(self, device: str, server: str) -> None:
        super().__init__(
            f"server {server!r} makes room for what device {device!r} writes: log in again in a"
            " moment"
        )


class OverlaySealingError(TryAgainError):
    """A device waits while what it wrote is made a version."""

    code = "overlay-sealing"

    def __init__(self, device: str, server: str) -> None:
        super().__init__(
            f"server {server!r} makes a version of what device {device!r} wrote: start the device"
            " again when that is done"
        )


class OverlayServerAwayError(TryAgainError):
    """What a device wrote is on one server, and the device starts only with it."""

    code = "overlay-server-away"

    def __init__(self, device: str, server: str) -> None:
        super().__init__(
            f"what device {device!r} wrote is on server {server!r}, which takes no devices now:"
            " bring that server back; 'corral device reset-cache' gives up what was written"
        )


class OverlayFailedError(EnvironmentFaultError):
    """A server must be able to open and write what it keeps for a device."""

    code = "overlay-failed"

    def __init__(self, device: str, server: str, problem: str) -> None:
        super().__init__(
            f"server {server!r} cannot give device {device!r} what it wrote:"
            f" {problem or 'it gave no reason'}. Mend that there;"
            " 'corral device reset-cache' gives up what was written"
        )


class WriterOnError(RefusedError):
    """What a device writes is sealed, or given up, when the device is off."""

    code = "writer-on"

    def __init__(self, export: str, device: str, server: str) -> None:
        super().__init__(
            f"device {device!r} writes to {export!r} on server {server!r}:"
            " shut the device down, then repeat the command"
        )


class MaintenanceUnderWayError(RefusedError):
    """An image has one writer at a time: until it is promoted or discarded nothing else is made."""

    code = "maintenance-under-way"

    def __init__(self, image: str, device: str, server: str) -> None:
        super().__init__(
            f"device {device!r} changes image {image!r} on server {server!r}: finish that first,"
            f" with 'corral image promote {image}' or 'corral image discard {image}'"
        )


class MaintenanceUnknownError(UnknownThingError):
    """Nothing is promoted or discarded of an image that no device changes."""

    code = "maintenance-unknown"

    def __init__(self, image: str) -> None:
        super().__init__(
            f"no device changes image {image!r}: 'corral image maintain {image} --device DEVICE'"
            " lets one"
        )


class NothingWrittenError(RefusedError):
    """A version with the content of the one below it is made only of somebody who wants that."""

    code = "nothing-written"

    def __init__(self, image: str, device: str, server: str) -> None:
        super().__init__(
            f"device {device!r} has written nothing to image {image!r} on server {server!r},"
            f" nothing was published: 'corral image discard {image}' ends a maintenance without a"
            " version, --even-if-unchanged publishes the same content again"
        )


class MaintainerElsewhereError(RefusedError):
    """A device changes the image that is assigned to it."""

    code = "maintainer-elsewhere"

    def __init__(self, device: str, image: str) -> None:
        super().__init__(
            f"device {device!r} starts from another image than {image!r}:"
            f" 'corral device assign {device} {image}' first"
        )


class MaintainsCustomError(RefusedError):
    """A custom image is always changed by its one device; it needs no maintenance."""

    code = "maintains-custom"

    def __init__(self, image: str) -> None:
        super().__init__(
            f"image {image!r} is custom, its device keeps what it writes:"
            f" 'corral image promote {image}' makes a version of it when the device is off"
        )


class VersionWrittenOverError(RefusedError):
    """A version is not deleted while something is kept that a device wrote over it."""

    code = "version-written-over"

    def __init__(self, name: str, devices: Sequence[str]) -> None:
        super().__init__(
            f"what {', '.join(devices)} wrote over {name!r} is kept on a server and needs it:"
            " promote or discard it, or 'corral device reset-cache', then delete the version"
        )


class DeviceWritesKeptError(RefusedError):
    """A device is removed when nothing is kept any more that only it can use."""

    code = "device-writes-kept"

    def __init__(self, device: str, exports: Sequence[str]) -> None:
        super().__init__(
            f"what device {device!r} wrote is kept ({', '.join(exports)}): promote or discard it,"
            f" or 'corral device reset-cache {device} --custom', then remove the device"
        )
