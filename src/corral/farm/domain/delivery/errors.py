"""The rules of delivery that can be broken."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from corral.farm.domain.delivery.ranking import WhyNot
from corral.farm.domain.delivery.removal import Need
from corral.farm.domain.errors import (
    DeniedError,
    EditConflictError,
    EnvironmentFaultError,
    InvalidInputError,
    RefusedError,
    TakenError,
    TryAgainError,
    UnknownThingError,
)
from corral.farm.domain.naming import some_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from corral.farm.domain.delivery.device import DeviceName, MacAddress
    from corral.farm.domain.delivery.removal import Needed
    from corral.farm.domain.delivery.safety import Stranded
    from corral.farm.domain.estate.server import ServerName
    from corral.farm.domain.image.image import ImageName
    from corral.farm.domain.image.root import RootHash
    from corral.farm.domain.image.version import VersionName


class DeviceIdentityError(DeniedError):
    """A device logs in under its own name: its key is that of another one."""

    code = "device-identity"

    def __init__(self, claimed: str) -> None:
        super().__init__(
            f"this is the key of another device than {claimed!r}: give each device the key that was"
            " made for it; 'corral audit list --what device.identity-refused' shows which it was"
        )


class DeviceUnknownError(UnknownThingError):
    """The farm has no device of that name."""

    code = "device-unknown"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the farm has no device {name!r}: 'corral device list' shows those it has,"
            " 'corral device add' registers one"
        )


class DeviceNameTakenError(TakenError):
    """The name of a device is unique in its farm."""

    code = "device-name-taken"

    def __init__(self, name: DeviceName) -> None:
        super().__init__(f"the farm has a device {name!r} already: choose another name")


class MacTakenError(TakenError):
    """A network card belongs to one device."""

    code = "mac-taken"

    def __init__(self, mac: MacAddress, owner: DeviceName) -> None:
        super().__init__(
            f"{mac} is the MAC address of device {owner!r}: correct the address, or remove that"
            " device if its card is in this machine now"
        )
        self.mac = mac
        self.owner = owner


class DeviceChangedError(EditConflictError):
    """A device is changed by one person at a time; the second is told to look again."""

    code = "device-changed"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"device {name!r} was changed by somebody else since you looked: look again with"
            f" 'corral device show {name}', then repeat your change if it still makes sense"
        )


class DeviceDisabledError(RefusedError):
    """A device that a person disabled may not log in."""

    code = "device-disabled"

    def __init__(self, name: DeviceName) -> None:
        super().__init__(
            f"device {name!r} is disabled: 'corral device enable {name}' lets it log in again"
        )


class DeviceStreamsError(RefusedError):
    """A device is removed only when it streams nothing."""

    code = "device-streams"

    def __init__(self, name: DeviceName, server: str) -> None:
        super().__init__(
            f"device {name!r} streams from server {server!r}, as that last said:"
            " shut the device down first"
        )


class DeviceTableInvalidError(InvalidInputError):
    """A table of devices is CSV whose first line names its columns."""

    code = "device-table-invalid"

    def __init__(self, line: int, reason: str, columns: Sequence[str] = ()) -> None:
        known = f"; the columns are {', '.join(columns)}" if columns else ""
        super().__init__(
            f"line {line} of the table of devices cannot be read ({reason}){known}:"
            " correct it, then import the table again; nothing was registered"
        )


class DeviceTableUnreadableError(EnvironmentFaultError):
    """The file with a table of devices must be readable, and text in UTF-8."""

    code = "device-table-unreadable"

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path} cannot be read as a table of devices: {reason}")


class DeviceFieldInvalidError(InvalidInputError):
    """A field of a table of devices holds one of the words that its column knows."""

    code = "device-field-invalid"

    def __init__(self, text: str, column: str, words: str) -> None:
        super().__init__(f"{text!r} cannot stand in the column {column!r}: write {words}")


class DeviceUnassignedError(RefusedError):
    """A device starts only from an image that was assigned to it."""

    code = "device-unassigned"

    def __init__(self, name: DeviceName) -> None:
        super().__init__(
            f"no image is assigned to device {name!r}: 'corral device assign {name} IMAGE' does it"
        )


class ImageWithoutVersionError(RefusedError):
    """An image whose versions were all deleted has nothing to stream."""

    code = "image-without-version"

    def __init__(self, name: ImageName) -> None:
        super().__init__(
            f"image {name!r} has no published version: import one with 'corral image import'"
        )


class RunningVersionUnknownError(UnknownThingError):
    """A login is renewed for a version of an image that the device was given, and no other."""

    code = "running-version-unknown"

    def __init__(self, device: DeviceName, root: RootHash) -> None:
        super().__init__(
            f"device {device!r} was given no image that has a version with root {root}: restart the"
            " device, which then gets the newest version of its image"
        )


class NoServerForVersionError(TryAgainError):
    """A device needs a server that is online, not draining, and holds its version completely."""

    code = "no-server-for-version"

    def __init__(self, name: VersionName, only: ServerName | None = None) -> None:
        if only is None:
            text = (
                f"no server is ready to stream {name}: start a server that holds it, undrain one,"
                f" or replicate it; 'corral image show {name.image}' says where it is"
            )
        else:
            text = (
                f"server {only!r} is not ready to stream {name}, and image {name.image!r} may be"
                " had from no other: bring that one back, or let all servers have it with"
                f" 'corral image set {name.image} --only-server none'"
            )
        super().__init__(text)


class LoginsUnusableError(EnvironmentFaultError):
    """A snapshot of logins is used only if it can be read and the farm has signed it."""

    code = "logins-unusable"

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(
            f"the snapshot of logins {where} cannot be used: {reason}; a new one comes by itself"
            " as soon as the farm answers"
        )


class LoginAwaitsFarmError(TryAgainError):
    """Without the farm's database only what the last snapshot knows can be answered."""

    code = "login-awaits-farm"

    def __init__(self, device: str, taken: str) -> None:
        super().__init__(
            f"the farm's database is away, and the snapshot of {taken} has no answer for device"
            f" {device!r} with this key; nothing was changed. Try again when the database is back:"
            " the farm then says whether it knows the device"
        )


class NoRoomForDeviceError(TryAgainError):
    """A device that starts is sent only to a server whose limits and subnets let it in."""

    code = "no-room-for-device"

    def __init__(self, device: DeviceName, refused: Sequence[tuple[ServerName, WhyNot]]) -> None:
        whys = "; ".join(f"{server} {why_not}" for server, why_not in refused)
        super().__init__(
            f"no server lets device {device!r} in: {whys}. Try again when others have started, or"
            " raise a limit or change a subnet with 'corral server change'"
        )
        self.will_pass = any(why_not is WhyNot.BOOTING for _, why_not in refused)
        """Whether it only has to wait until others have started."""


class DrainUnsafeError(RefusedError):
    """A server is drained only if its devices have a place, even after one more server is lost."""

    code = "drain-unsafe"
    _MOST_NAMED = 5

    def __init__(self, server: ServerName, stranded: Sequence[Stranded]) -> None:
        named = [str(one) for one in stranded[: self._MOST_NAMED]]
        if len(stranded) > len(named):
            named.append(f"and {len(stranded) - len(named)} more")
        super().__init__(
            f"server {server!r} cannot be drained: {'; '.join(named)}. Replicate versions to"
            " further servers ('corral image replicate'), bring servers back, raise their limits,"
            " or shut those devices down; 'corral farm check' tells which of it helps"
        )
        self.stranded = tuple(stranded)


class ServerNeededError(RefusedError):
    """A server is removed only when nobody needs it and nothing is on it alone."""

    code = "server-needed"

    def __init__(self, server: ServerName, needs: Sequence[Needed]) -> None:
        said = "; ".join(f"{one.need}: {some_of(one.whose)}" for one in needs)
        ways = " ".join(_WAYS[one.need] for one in needs)
        super().__init__(f"server {server!r} cannot be removed: {said}. {ways}")
        self.needs = tuple(needs)


class ServerSilentError(RefusedError):
    """A server that is not heard of may be streaming; it is removed only as lost."""

    code = "server-silent"

    def __init__(self, server: ServerName) -> None:
        super().__init__(
            f"server {server!r} has gone silent, and devices may still stream from it: bring it"
            " back, then remove it; or, if its disk is gone for ever, say so with --lost"
            " (lost=true in the API)"
        )


class ServerNotLostError(RefusedError):
    """A server that reports has its disk."""

    code = "server-not-lost"

    def __init__(self, server: ServerName) -> None:
        super().__init__(
            f"server {server!r} reports, so that its disk is not lost: remove it without --lost,"
            " or stop its stream process first"
        )


_WAYS: Final[Mapping[Need, str]] = MappingProxyType(
    {
        Need.STREAMING: "Have its devices leave with 'corral server drain' first.",
        Need.STRANDED: "Replicate those versions to further servers, or raise their limits.",
        Need.STARTING: "Bring back or add servers that those devices may use.",
        Need.ONLY: "Let those images be had elsewhere with 'corral image set IMAGE --only-server'.",
        Need.COPY: "Replicate those versions with 'corral image replicate' (or set a policy with"
        " 'corral replication policy'), bring back a server that has them, or delete them.",
        Need.DISK: "Promote or discard maintenance with 'corral image', and reset the disks of"
        " devices with 'corral device reset-cache'.",
        Need.TASK: "Wait for those tasks, or cancel them with 'corral task cancel'.",
    }
)
