"""A server: a machine that streams, with the store where it keeps chunks."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NewType
from uuid import UUID

from corral.farm.domain.naming import checked_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from corral.farm.domain.access.token import TokenDigest
    from corral.farm.domain.estate.address import Address

ServerId = NewType("ServerId", UUID)
StoreId = NewType("StoreId", UUID)
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
class Store:
    """Where a server keeps chunks: a folder on that server."""

    id: StoreId
    path: Path


@dataclass(frozen=True)
class LastReport:
    """What a server last said of itself."""

    at: datetime
    session_count: int
    free_bytes: int | None = None
    """Free space of the file system under the store, if the server could tell."""
    counters: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """The stream server's own counters since its start, by name."""


@dataclass(frozen=True)
class Server:
    """A machine that streams."""

    id: ServerId
    name: ServerName
    store: Store
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

    @property
    def chunk_url(self) -> str:
        """Base URL under which other servers fetch chunks from this one."""
        return f"http://{self.chunks_advertised}"

    def state(self, now: datetime) -> ServerState:
        """Online if it reported within ``ONLINE_FOR`` of ``now``."""
        if self.last_report is not None and now - self.last_report.at <= ONLINE_FOR:
            return ServerState.ONLINE
        return ServerState.UNKNOWN

    def drained(self, *, draining: bool) -> Server:
        """Give the same server with its draining flag set or cleared."""
        return replace(self, draining=draining)
