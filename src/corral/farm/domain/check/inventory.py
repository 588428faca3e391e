"""Everything that the farm check looks at, as of one moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import timedelta

    from corral.farm.domain.delivery.device import DeviceName
    from corral.farm.domain.delivery.placement import Placement
    from corral.farm.domain.estate.server import ServerName
    from corral.farm.domain.image.image import ImageName
    from corral.farm.domain.image.replica import ReplicaState
    from corral.farm.domain.image.root import RootHash
    from corral.farm.domain.image.version import VersionName


@dataclass(frozen=True)
class SeenReplica:
    """What a server has of a version."""

    server: ServerName
    is_online: bool
    state: ReplicaState
    problem: str = ""

    @property
    def can_serve(self) -> bool:
        """Whether the server holds every byte and is there to give them."""
        return self.is_online and self.state == "complete"


@dataclass(frozen=True)
class SeenVersion:
    """A version, and who has it by its root."""

    name: VersionName
    root: RootHash
    replicas: tuple[SeenReplica, ...]
    running: int = 0
    """Devices that run it."""
    starting: int = 0
    """Devices that would start it now."""

    @property
    def is_in_use(self) -> bool:
        """Whether any device runs it, or would."""
        return bool(self.running or self.starting)

    @property
    def servers(self) -> tuple[ServerName, ...]:
        """Servers that can serve it now."""
        return tuple(replica.server for replica in self.replicas if replica.can_serve)


@dataclass(frozen=True)
class SeenServer:
    """A server's own facts."""

    name: ServerName
    is_online: bool
    is_draining: bool = False
    is_in_maintenance: bool = False
    free_bytes: int | None = None
    clock_offset: timedelta | None = None
    """Its clock minus the farm's when it last reported; unknown of an older server."""
    unknown_sessions: int = 0
    """Connections of devices that the farm does not know."""


@dataclass(frozen=True)
class SeenDevice:
    """A device that may start, and what its login would say now."""

    name: DeviceName
    servers: tuple[ServerName, ...] = ()
    """Online servers of the answer; more than one is as it should be."""
    refusal: str = ""
    """Why it would be refused; empty if it would not."""
    is_bound: bool = False
    """It writes on one server, and can have no other by its nature."""
    cache_warning: str = ""


@dataclass(frozen=True)
class SeenOverlay:
    """What a device writes on a server, where something is wrong with it."""

    device: str
    server: str
    problem: str


@dataclass(frozen=True)
class Inventory:
    """The farm at one moment."""

    placement: Placement
    servers: tuple[SeenServer, ...] = ()
    versions: tuple[SeenVersion, ...] = ()
    devices: tuple[SeenDevice, ...] = ()
    troubled_overlays: tuple[SeenOverlay, ...] = ()
    pins: tuple[tuple[ImageName, int], ...] = ()
    is_database_writable: bool = True
