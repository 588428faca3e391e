"""Let copies go that a store's policy has no use for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from corral.farm.domain.access.actor import THE_FARM
from corral.farm.domain.access.audit import Entry
from corral.farm.domain.estate.replication import Copy, Stays, Surplus, surplus
from corral.farm.domain.image.replica import ReplicaState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from corral.farm.application.ports.records import Records
    from corral.farm.domain.estate.server import Server, ServerId
    from corral.farm.domain.estate.store import FolderId, Store
    from corral.farm.domain.image.replica import Replica
    from corral.farm.domain.image.root import RootHash
    from corral.farm.domain.image.version import Version

LETS_GO: Final = "replica.let-go"


def let_go(records: Records, server: Server, now: datetime) -> None:
    """Tell a server that has just reported to forget what is too many in its folder.

    Decided anew with each report, and only about the server that reports, so that what counts as
    said is fresh. A shared folder is let go by all of its servers, or by none.
    """
    store = records.stores.with_id(server.store.belongs_to)
    if store.copies is None or store.copies_set_at is None:
        return
    keepers = _keepers(records, store)
    for replica in records.replicas.of_server(server.id):
        if replica.is_removing or replica.by_hand:
            continue
        for one in surplus_of(records, store, keepers, replica.root, now):
            if one.stays is Stays.GOES and one.folder == server.store.id:
                _tell(records, [k for k in keepers if k.store.id == one.folder], replica.root, now)


def surplus_of(
    records: Records,
    store: Store,
    keepers: Sequence[Server],
    root: RootHash,
    now: datetime,
) -> tuple[Surplus, ...]:
    """Give the copies of a root that are too many in a store, ``keepers`` being its servers."""
    if store.copies is None or store.copies_set_at is None:
        return ()
    if not any(_published(records, root)):
        return ()
    replicas = {replica.server_id: replica for replica in records.replicas.of_root(root)}
    by_folder: dict[FolderId, list[Server]] = {}
    for keeper in keepers:
        if keeper.id in replicas:
            by_folder.setdefault(keeper.store.id, []).append(keeper)
    # Most versions have no copy too many: nothing more is asked about them.
    if len(by_folder) <= store.copies:
        return ()
    since = _since(records, store.copies_set_at)
    copies = (_copy(records, since, servers, replicas, now) for servers in by_folder.values())
    return surplus(copies, root, store.copies)


def _since(records: Records, set_at: datetime) -> datetime:
    """Give from when on it counts what servers say.

    What a restored farm knows of copies is what was so when it was backed up.
    """
    restoration = records.restorations.find()
    return set_at if restoration is None else max(set_at, restoration.restored_at)


def _keepers(records: Records, store: Store) -> list[Server]:
    return [
        one for one in records.servers.all() if one.store.belongs_to == store.id and not one.relay
    ]


def _copy(
    records: Records,
    since: datetime,
    servers: Sequence[Server],
    replicas: dict[ServerId, Replica],
    now: datetime,
) -> Copy:
    ones = [(server, replicas[server.id]) for server in servers]
    root = ones[0][1].root
    return Copy(
        folder=servers[0].store.id,
        is_sure=any(
            replica.is_complete
            and server.takes_devices(now)
            and replica.reported_at is not None
            and replica.reported_at > since
            for server, replica in ones
        ),
        is_heard=all(
            server.may_be_relied_on(now)
            and server.last_report is not None
            and server.last_report.at > since
            for server, _ in ones
        ),
        is_in_use=any(is_in_use(records, server, root) for server in servers),
        is_by_hand=any(replica.by_hand for _, replica in ones),
        is_leaving=any(replica.is_removing for _, replica in ones),
    )


def is_in_use(records: Records, server: Server, root: RootHash) -> bool:
    """Say whether a device reads or writes over a root at a server, or is on its way there."""
    names = {str(version.name) for version in records.versions.with_root(root)}
    return (
        any(
            session.export.partition("@")[0] in names
            for session in records.sessions.of_server(server.id)
        )
        or any(place.root == root for place in records.places.of_server(server.id))
        or any(overlay.server_id == server.id for overlay in records.overlays.of_base(root))
        or any(move.target == server.id for move in records.moves.in_progress())
    )


def _tell(records: Records, servers: Iterable[Server], root: RootHash, now: datetime) -> None:
    name = next(version.name for version in _published(records, root))
    for server in servers:
        replica = records.replicas.find(server.id, root)
        if replica is not None:
            records.replicas.put(replace(replica, state=ReplicaState.REMOVING, problem=""))
            records.audit.note(Entry(now, THE_FARM, LETS_GO, f"{name} on {server.name}"))
    records.farm.raise_generation()


def _published(records: Records, root: RootHash) -> Iterator[Version]:
    return (one for one in records.versions.with_root(root) if one.is_published)
