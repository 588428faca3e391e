"""Show which server has how much of which version."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from corral.farm.application.let_go import surplus_of
from corral.farm.application.share_line import share_of
from corral.farm.domain.estate.server import ServerState
from corral.farm.domain.image.replica import ReplicaState

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.estate.replication import Stays
    from corral.farm.domain.estate.server import Server, ServerId
    from corral.farm.domain.estate.store import FolderId
    from corral.farm.domain.image.replica import Replica
    from corral.farm.domain.image.root import RootHash
    from corral.farm.domain.image.version import Version

    _Place: TypeAlias = tuple[FolderId, RootHash]


class CopyState(StrEnum):
    """How a version stands on a server, in one word."""

    IN_STEP = "in step"
    SHARED = "shared"
    """In step, in a folder that another server keeps: nothing was copied."""
    COPYING = "copying"
    MISSING = "missing"
    """Wanted, and not a byte is on its way; the problem says why, if the server said it."""
    DAMAGED = "damaged"
    SURPLUS = "surplus"
    """In step, and more than the store's policy asks for; the problem says why it stays yet."""
    LEAVING = "leaving"
    """Its server was told to let it go, and has not said that it has."""
    UNREACHABLE = "unreachable"
    """The server is silent: what it last said may not hold any more."""

    @property
    def is_settled(self) -> bool:
        """Whether nothing is to be waited for."""
        return self in {CopyState.IN_STEP, CopyState.SHARED, CopyState.SURPLUS}


@dataclass(frozen=True)
class CopyView:
    """One version on one server."""

    version: Version
    server: Server
    state: CopyState
    done_bytes: int
    """Of the image's size, those whose chunks are there."""
    left_bytes: int
    time_left: timedelta | None
    """At the pace of late, but no faster than its share of the site's line; none if unknown."""
    problem: str

    @property
    def percent(self) -> int:
        """How much is there; 100 only when all is."""
        whole = self.version.size_bytes
        return 100 if not self.left_bytes else min(99, 100 * self.done_bytes // max(whole, 1))


class ShowReplication:
    """Gives every wanted copy of every published version."""

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    def __call__(self) -> tuple[CopyView, ...]:
        """Give them in the order of versions, then of servers."""
        now = self._clock.now()
        with self._transactions.reading() as records:
            servers = {server.id: server for server in records.servers.all()}
            replicas = records.replicas.all()
            first_in_folder = _first_complete(replicas, servers)
            stores = {store.id: store for store in records.stores.all()}
            keepers = {
                one: [
                    server
                    for server in servers.values()
                    if server.store.belongs_to == one and not server.relay
                ]
                for one in stores
            }
            too_many = {
                (one.folder, root): one.stays
                for root in {replica.root for replica in replicas}
                for store in stores.values()
                for one in surplus_of(records, store, keepers[store.id], root, now)
            }
            views = [
                _view(
                    records,
                    version,
                    replica,
                    servers[replica.server_id],
                    now,
                    first_in_folder,
                    too_many,
                )
                for version in records.versions.all()
                if version.is_published
                for replica in replicas
                if replica.root == version.root
            ]
        return tuple(sorted(views, key=lambda view: (view.version.name, view.server.name)))


def _first_complete(
    replicas: Sequence[Replica], servers: dict[ServerId, Server]
) -> dict[_Place, ServerId]:
    """For each folder and root, the server that brought it there."""
    first: dict[_Place, Replica] = {}
    for replica in replicas:
        if replica.completed_at is None or replica.is_removing:
            continue
        key = (servers[replica.server_id].store.id, replica.root)
        known = first.get(key)
        if known is None or (replica.wanted_at, replica.server_id.bytes) < (
            known.wanted_at,
            known.server_id.bytes,
        ):
            first[key] = replica
    return {key: replica.server_id for key, replica in first.items()}


def _view(  # noqa: PLR0913, PLR0917 - facts of one cell of the table
    records: Records,
    version: Version,
    replica: Replica,
    server: Server,
    now: datetime,
    first_in_folder: dict[_Place, ServerId],
    too_many: dict[_Place, Stays],
) -> CopyView:
    state = _state(replica, server, now)
    if state is CopyState.IN_STEP:
        brought_by = first_in_folder.get((server.store.id, replica.root), server.id)
        state = CopyState.IN_STEP if brought_by == server.id else CopyState.SHARED
    problem = replica.problem
    stays = too_many.get((server.store.id, replica.root))
    if state.is_settled and stays is not None:
        state, problem = CopyState.SURPLUS, problem or stays.value
    done = (
        version.size_bytes
        if replica.is_complete or replica.is_removing
        else min(replica.done_bytes, version.size_bytes)
    )
    left = version.size_bytes - done
    rate = share_of(records, server, now) if state is CopyState.COPYING else None
    return CopyView(
        version=version,
        server=server,
        state=state,
        done_bytes=done,
        left_bytes=left,
        time_left=time_left(replica, left, rate) if state is CopyState.COPYING else None,
        problem=problem,
    )


def _state(replica: Replica, server: Server, now: datetime) -> CopyState:
    if server.state(now) is ServerState.UNKNOWN:
        return CopyState.UNREACHABLE
    if replica.is_removing:
        return CopyState.LEAVING
    if replica.state is ReplicaState.DAMAGED:
        return CopyState.DAMAGED
    if replica.is_complete:
        return CopyState.IN_STEP
    return CopyState.COPYING if replica.done_bytes else CopyState.MISSING


def time_left(replica: Replica, left: int, limit: int | None) -> timedelta | None:
    """Say how long a copy that is under way will take; none if that is unknown."""
    rate = replica.bytes_per_second
    if limit is not None:
        rate = min(rate, limit)
    # Slower than this, nothing is known: what stands still has no end.
    return None if not rate else timedelta(seconds=round(left / rate))
