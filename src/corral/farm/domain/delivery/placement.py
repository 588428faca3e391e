"""Who is where, and who could be: what drains, rebalances and checks look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corral.farm.domain.delivery.device import DeviceId, DeviceName
    from corral.farm.domain.delivery.ranking import Host
    from corral.farm.domain.estate.server import ServerId
    from corral.farm.domain.image.version import VersionName


@dataclass(frozen=True)
class PlacedDevice:
    """A device that streams."""

    id: DeviceId
    name: DeviceName
    place: ServerId
    version: VersionName
    """What it runs, by the name that people know."""
    may_use: frozenset[ServerId]
    """Servers that hold every byte of its version and that its affinity allows, in whatever state
    they are."""
    connected_to: frozenset[ServerId] = frozenset()
    """Servers that report a connection of it, its spare among them."""
    is_booting: bool = False
    is_bound: bool = False
    """It writes to a disk that only the server of its place keeps."""

    def streams_from(self, server: ServerId) -> bool:
        """Whether it reads there, or keeps a connection there to read from if it must."""
        return server == self.place or server in self.connected_to


@dataclass(frozen=True)
class Placement:
    """Servers with their load, and devices with their places, at one moment."""

    hosts: tuple[Host, ...]
    devices: tuple[PlacedDevice, ...]

    def host(self, server: ServerId) -> Host | None:
        """Give a server by its id."""
        return next((host for host in self.hosts if host.id == server), None)

    def on(self, server: ServerId) -> Iterator[PlacedDevice]:
        """Give the devices whose place is on a server."""
        return (device for device in self.devices if device.place == server)
