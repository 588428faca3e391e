"""List the servers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from corral.farm.application.listing import Columns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from corral.farm.application.listing import Value
    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.estate.server import LastReport, Server, ServerName, ServerState
    from corral.farm.domain.estate.site import Site
    from corral.farm.domain.estate.store import Store
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
    site: Site
    store: Store


def _last(view: ServerView, read: Callable[[LastReport], Value]) -> Value:
    """Give what the server last said; nothing if it never said anything."""
    report = view.server.last_report
    return None if report is None else read(report)


SERVERS: Final = Columns[ServerView](
    values={
        "name": lambda view: view.server.name,
        "site": lambda view: view.site.name,
        "store": lambda view: view.store.name,
        "state": lambda view: view.state.value,
        "draining": lambda view: view.server.draining,
        "maintenance": lambda view: view.server.maintenance,
        "relay": lambda view: view.server.relay,
        "release": lambda view: _last(view, lambda report: report.release),
        "address": lambda view: tuple(map(str, view.server.advertised)),
        "rating": lambda view: view.server.power_rating,
        "sessions": lambda view: (
            None if (r := view.server.last_report) is None else r.session_count
        ),
        "free": lambda view: _last(view, lambda report: report.free_bytes),
        "reported": lambda view: _last(view, lambda report: report.at),
        "description": lambda view: view.server.description,
    },
    identity=lambda view: view.server.name,
)


@dataclass(frozen=True)
class HeldReplica:
    """What one server should hold of one version."""

    held: HeldVersion
    server: Server
    site: Site


REPLICAS: Final = Columns[HeldReplica](
    values={
        "version": lambda view: str(view.held.name),
        "image": lambda view: view.held.name.image,
        "root": lambda view: view.held.replica.root.hex,
        "server": lambda view: view.server.name,
        "site": lambda view: view.site.name,
        "state": lambda view: view.held.replica.state.value,
        "done": lambda view: view.held.replica.done_bytes,
        "left": lambda view: view.held.replica.total_bytes - view.held.replica.done_bytes,
        "problem": lambda view: view.held.replica.problem,
    },
    identity=lambda view: f"{view.server.name} {view.held.name.image} {view.held.name.number:010}",
)


def all_replicas(views: Iterable[ServerView]) -> Iterator[HeldReplica]:
    """Give the replicas of all servers; a root of several versions counts for each."""
    for view in views:
        for held in view.held:
            yield HeldReplica(held, view.server, view.site)


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
    return ServerView(
        server,
        server.state(now),
        tuple(sorted(held, key=lambda one: one.name)),
        records.sites.with_id(server.site_id),
        records.stores.with_id(server.store.belongs_to),
    )
