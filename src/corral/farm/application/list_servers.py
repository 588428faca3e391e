"""List the servers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.estate.server import Server, ServerName, ServerState
    from corral.farm.domain.image.replica import Replica
    from corral.farm.domain.image.version import VersionName


@dataclass(frozen=True)
class HeldVersion:
    """A published version that a server should hold."""

    name: VersionName
    replica: Replica


@dataclass(frozen=True)
class ServerView:
    """A server, what the farm believes of it, and what it holds."""

    server: Server
    state: ServerState
    held: tuple[HeldVersion, ...]


class ListServers:
    """Gives all servers, in the order of names."""

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    def __call__(self) -> tuple[ServerView, ...]:
        """Give a view of each."""
        now = self._clock.now()
        with self._transactions.reading() as records:
            return tuple(_view(records, server, now) for server in records.servers.all())


class ShowServer:
    """Gives one server."""

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    def __call__(self, name: ServerName) -> ServerView:
        """Give its view; raises ``ServerUnknownError``."""
        with self._transactions.reading() as records:
            return _view(records, records.servers.get(name), self._clock.now())


def _view(records: Records, server: Server, now: datetime) -> ServerView:
    held = [
        HeldVersion(version.name, replica)
        for replica in records.replicas.of_server(server.id)
        for version in records.versions.with_root(replica.root)
        if version.is_published
    ]
    return ServerView(server, server.state(now), tuple(sorted(held, key=lambda one: one.name)))
