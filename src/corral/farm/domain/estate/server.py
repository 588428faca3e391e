"""A server: a machine that streams, with the store where it keeps chunks."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NewType
from uuid import UUID

from corral.farm.domain.estate.capacity import NORMAL_POWER, DeviceLimit, PowerRating
from corral.farm.domain.estate.certificate import is_loopback
from corral.farm.domain.estate.relay import RelayNeedsManagementError
from corral.farm.domain.estate.site import FIRST_SITE, SiteId
from corral.farm.domain.naming import checked_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from corral.farm.domain.access.token import TokenDigest
    from corral.farm.domain.estate.address import Address
    from corral.farm.domain.estate.releases import SeenReleases
    from corral.farm.domain.estate.scrub import SeenScrub
    from corral.farm.domain.estate.store import StoreFolder
    from corral.farm.domain.estate.subnet import Subnet

ServerId = NewType("ServerId", UUID)
ServerName = NewType("ServerName", str)

# Stream processes report about once a second. Five missed reports are a lost server rather than a
# slow one; a device that is told of a lost server all the same just tries the next of its list.
ONLINE_FOR: Final = timedelta(seconds=5)


def server_name(text: str) -> ServerName:
    """Check a name for a server."""
    return ServerName(checked_name("server", text))


@dataclass(frozen=True)
class FormerServer:
    """A server that was removed; its token is known so that it can be told so."""

    name: ServerName
    removed_at: datetime


class ServerState(StrEnum):
    """What the farm believes of a server, from its last report alone."""

    ONLINE = "online"
    UNKNOWN = "unknown"
    """No recent report. The server may well be streaming: only the farm has not heard of it."""


@dataclass(frozen=True)
class RefusedExport:
    """A version that a server was told to offer and does not, though it has every chunk of it."""

    export: str
    code: str
    detail: str


@dataclass(frozen=True)
class LastReport:
    """What a server last said of itself."""

    at: datetime
    session_count: int
    free_bytes: int | None = None
    """Free space of the file system under the store, if the server could tell."""
    counters: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """The stream server's own counters since its start, by name."""
    clock_offset: timedelta | None = None
    """The server's clock minus the farm's; unknown of a server that does not say its time."""
    certificate_ends_at: datetime | None = None
    """When its certificate is over; unknown of a server that does not say that it has one."""
    requires_tls: bool = False
    """Whether its streams are to be had under TLS only."""
    scrub: SeenScrub | None = None
    """How far it is with reading all that it keeps; unknown of an older server."""
    refused: tuple[RefusedExport, ...] = ()
    chunks_require_tls: bool = False
    """Whether its chunks are to be had under TLS only; in the clear only, if not."""
    release: str = ""
    """Of its program; nothing of one that does not say it."""
    refusal: str = ""
    """Why it serves its site nothing, of a relay; nothing if it does."""
    releases: SeenReleases | None = None
    """Which lie and run there; unknown of an older server."""
    generation: int = 0
    """Of the configuration that it followed then: of what came later it did not know."""


@dataclass(frozen=True)
class Server:
    """A machine that streams."""

    id: ServerId
    name: ServerName
    store: StoreFolder
    listen: tuple[Address, ...]
    """Where its stream server listens; at least one."""
    advertised: tuple[Address, ...]
    """Where devices reach it, best first; at least one, none of them the wildcard."""
    chunks_listen: Address
    """Where its chunk server listens."""
    chunks_advertised: Address
    """Where other servers reach its chunk server."""
    token_digest: TokenDigest
    added_at: datetime
    draining: bool = False
    last_report: LastReport | None = None
    site_id: SiteId = FIRST_SITE.id
    description: str = ""
    management: Address | None = None
    """Where it answers logins and says how it is, whatever becomes of the API; none for nowhere."""
    power_rating: PowerRating = NORMAL_POWER
    """How many devices it bears beside the others: load is devices divided by this."""
    max_devices: DeviceLimit | None = None
    """The most devices that are sent here; none means no limit."""
    max_devices_booting: DeviceLimit | None = None
    """The most that start here at once; a device that fails over does not count as starting."""
    maintenance: bool = False
    """Set by a person who works on it: it gets no new devices and is no place to be."""
    subnets: tuple[Subnet, ...] = ()
    """Near to it."""
    relay: bool = False
    """It stands at a site behind a thin line, keeps what the computers of that site are assigned
    and carries what they and the farm say. It streams to no devices."""
    revision: int = 1

    def __post_init__(self) -> None:
        if self.relay and self.management is None:
            raise RelayNeedsManagementError(self.name)

    @property
    def chunk_url(self) -> str:
        """Base URL under which servers and computers fetch chunks from this one.

        What it said last decides, so that servers of an older release can still be asked. Before it
        has said anything, no ticket is sent to it in the clear over a network.
        """
        return f"{'https' if self._secures_chunks else 'http'}://{self.chunks_advertised}"

    @property
    def relay_url(self) -> str | None:
        """Where the computers of its site reach the farm through it; none if it is no relay."""
        if not self.relay or self.management is None:
            return None
        scheme = "http" if is_loopback(self.management.host) else "https"
        return f"{scheme}://{self.management}"

    @property
    def refusal(self) -> str:
        """Why it serves its site nothing, as it last said; nothing if it does."""
        return self.last_report.refusal if self.relay and self.last_report is not None else ""

    @property
    def _secures_chunks(self) -> bool:
        if self.last_report is None:
            return not is_loopback(self.chunks_advertised.host)
        return self.last_report.chunks_require_tls

    @property
    def can_be_listened_to(self) -> bool:
        """Whether streams or chunks go over a network in the clear."""
        streams = any(not is_loopback(address.host) for address in self.advertised)
        chunks = not is_loopback(self.chunks_advertised.host)
        return (streams and not self.requires_tls) or (chunks and not self._secures_chunks)

    @property
    def requires_tls(self) -> bool:
        """Whether it said last that it speaks TLS only, so that nobody may be talked out of it."""
        return self.last_report is not None and self.last_report.requires_tls

    def state(self, now: datetime) -> ServerState:
        """Online if it reported within ``ONLINE_FOR`` of ``now``."""
        if self.last_report is not None and now - self.last_report.at <= ONLINE_FOR:
            return ServerState.ONLINE
        return ServerState.UNKNOWN

    def may_be_relied_on(self, now: datetime) -> bool:
        """Say whether it counts where safety is asked for: only one that is heard of does.

        One that went silent counts as lost.
        """
        return self.state(now) is ServerState.ONLINE

    def may_be_serving(self, now: datetime) -> bool:
        """Say whether it counts where danger is asked for: as present, unless it is known not to.

        One that went silent may stream whatever it last had, and devices with a ticket may come to
        it without asking the farm. Only one that just said that it has no sessions, or never said
        anything since it was added, serves nobody.
        """
        if self.last_report is None:
            return False
        return not self.may_be_relied_on(now) or self.last_report.session_count > 0

    def takes_devices(self, now: datetime) -> bool:
        """Say whether a device may be sent to it: online, not draining, not in maintenance."""
        return self.may_be_relied_on(now) and self.has_room_for_devices

    @property
    def has_room_for_devices(self) -> bool:
        """Whether it is there for devices at all: no relay, not draining, not in maintenance."""
        return not (self.draining or self.maintenance or self.relay)

    def drained(self, *, draining: bool) -> Server:
        """Give the same server with its draining flag set or cleared; a change, if it is one."""
        if self.draining is draining:
            return self
        return replace(self, draining=draining, revision=self.revision + 1)
