"""Everything that the farm check looks at, as of one moment."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from corral.farm.domain.backup.backup import TOO_OLD
from corral.farm.domain.check.computers import SeenComputers
from corral.farm.domain.delivery.rebalance import BalanceRules

if TYPE_CHECKING:
    from datetime import timedelta

    from corral.farm.domain.delivery.device import DeviceName
    from corral.farm.domain.delivery.placement import Placement
    from corral.farm.domain.estate.address import Address
    from corral.farm.domain.estate.server import ServerName
    from corral.farm.domain.image.image import ImageName
    from corral.farm.domain.image.replica import ReplicaState
    from corral.farm.domain.image.root import RootHash
    from corral.farm.domain.image.version import VersionName


@dataclass(frozen=True)
class SeenReplica:
    """What a server has of a version."""

    server: ServerName
    takes_devices: bool
    """Whether it is online, not drained, and not under maintenance."""
    state: ReplicaState
    problem: str = ""
    refusal: str = ""
    """Why the server cannot offer it although it holds every byte; empty if it can."""

    @property
    def can_serve(self) -> bool:
        """Whether the server holds every byte and is there to give them to who comes now."""
        return self.takes_devices and self.state == "complete" and not self.refusal


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
    awaited: tuple[str, ...] = ()
    """Of a release that waits for silent servers: each with what it lacks and since when."""

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
    certificate_left: timedelta | None = None
    """Until its certificate ends; unknown of a server that has not said that it has one."""
    is_plain: bool = False
    """It is reached over a network, and does not speak TLS there."""
    unknown_sessions: int = 0
    """Connections of devices that the farm does not know."""
    scrub_overdue: str = ""
    """Why the last full reading of its store is too long ago; empty if it is not."""
    scrub_problem: str = ""
    """Why the reading does not get on."""
    relay_refusal: str = ""
    """Why it serves its site nothing, of a relay."""


@dataclass(frozen=True)
class SeenListener:
    """Where one service of a server listens, and where others are told that it is."""

    server: ServerName
    use: str
    """``devices``, ``chunks`` or ``logins``."""
    listen: tuple[Address, ...]
    advertised: tuple[Address, ...]


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
class SeenBackups:
    """The backups that the farm has made and not rolled up."""

    newest_age: timedelta | None = None
    """None if there is none."""
    is_any_verified: bool = False
    too_old: timedelta = TOO_OLD


@dataclass(frozen=True)
class SeenTasks:
    """What is to be done, and whether anybody is there to do it."""

    waiting: int = 0
    schedules: int = 0
    is_worker_alive: bool = False
    refused_accounts: tuple[tuple[str, str], ...] = ()
    """Workers to whom the database gives no new connection, and what it said."""


@dataclass(frozen=True)
class Inventory:
    """The farm at one moment."""

    placement: Placement
    servers: tuple[SeenServer, ...] = ()
    versions: tuple[SeenVersion, ...] = ()
    devices: tuple[SeenDevice, ...] = ()
    troubled_overlays: tuple[SeenOverlay, ...] = ()
    pins: tuple[tuple[ImageName, int], ...] = ()
    only_servers: tuple[tuple[ImageName, ServerName], ...] = ()
    """Images that may be had from one server only, because somebody said so."""
    is_database_writable: bool = True
    api_certificate_left: timedelta | None = None
    """Until the API's certificate ends; none if it has not shown one."""
    backups: SeenBackups = field(default_factory=SeenBackups)
    login_addresses: tuple[str, ...] = ()
    """Where devices can be answered: the API's URLs, and servers that answer logins now."""
    balance: BalanceRules = field(default_factory=BalanceRules)
    tasks: SeenTasks = field(default_factory=SeenTasks)
    listeners: tuple[SeenListener, ...] = ()
    observing: str = ""
    """What a farm that was restored waits for; empty if it waits for nothing."""
    computers: SeenComputers = field(default_factory=SeenComputers)
