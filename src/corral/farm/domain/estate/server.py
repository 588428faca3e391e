"""A server: a machine that streams, with the store where it keeps chunks."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NewType
from uuid import UUID

from corral.farm.domain.estate.capacity import NORMAL_POWER, DeviceLimit, PowerRating
from corral.farm.domain.estate.site import FIRST_SITE, SiteId
from corral.farm.domain.naming import checked_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from corral.farm.domain.access.token import TokenDigest
    from corral.farm.domain.estate.address import Address
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


class ServerState(StrEnum):
    """What the farm believes of a server, from its last report alone."""

    ONLINE = "online"
    UNKNOWN = "unknown"
    """No recent report. The server may well be streaming: only the farm has not heard of it."""


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
    revision: int = 1

    @property
    def chunk_url(self) -> str:
        """Base URL under which other servers fetch chunks from this one."""
        return f"http://{self.chunks_advertised}"

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
        return self.may_be_relied_on(now) and not self.draining and not self.maintenance

    def drained(self, *, draining: bool) -> Server:
        """Give the same server with its draining flag set or cleared; a change, if it is one."""
        if self.draining is draining:
            return self
        return replace(self, draining=draining, revision=self.revision + 1)
