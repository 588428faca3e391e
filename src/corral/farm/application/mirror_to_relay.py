"""Have a relay keep what the computers of its site are assigned, and nothing else."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from corral.farm.application.computer_plans import Orderer
from corral.farm.application.let_go import LETS_GO, is_in_use
from corral.farm.application.look_for_orders import stamp_of
from corral.farm.application.observing import observes_server
from corral.farm.application.only_servers import replica_to_be
from corral.farm.application.relay_transfers import begin_transfer
from corral.farm.application.shared_folders import sharers
from corral.farm.domain.access.actor import THE_FARM
from corral.farm.domain.access.audit import Entry
from corral.farm.domain.estate.relay import Copied, mirror
from corral.farm.domain.image.replica import ReplicaState

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.estate.relay import Mirroring
    from corral.farm.domain.estate.server import Server, ServerId
    from corral.farm.domain.image.replica import Replica
    from corral.farm.domain.image.root import RootHash

_ANYWAY_SECONDS: Final = 30.0
"""For what only a date brings about, and what computers said."""
_REST: Final = 9
"""A look takes a tenth of the time at the most, however dear it is."""


@dataclass(frozen=True)
class _Looked:
    stamp: tuple[int, int]
    at: float
    rests_until: float


class MirrorToRelay:
    """Called with each report of a server, and looks only if something may be different.

    What there is to look at is all that people have assigned, so that it is not looked at each
    second: only after somebody changed something, and each half minute. This process remembers when
    it looked; that another one does too costs a look and changes nothing.
    """

    def __init__(
        self,
        transactions: Transactions,
        clock: Clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._transactions = transactions
        self._clock = clock
        self._monotonic = monotonic
        self._looked: dict[ServerId, _Looked] = {}

    def __call__(self, server_id: ServerId) -> bool:
        """Have its replicas be what they should be; whether that changed any."""
        began = self._monotonic()
        before = self._looked.get(server_id)
        if before is not None and began < before.rests_until:
            return False
        now = self._clock.now()
        with self._transactions.reading() as records:
            server = records.servers.with_id(server_id)
            # What a restored farm would take from it, it may only have forgotten.
            if not server.relay or observes_server(records, server_id):
                return False
            stamp = stamp_of(records)
            if before is not None and stamp == before.stamp and began - before.at < _ANYWAY_SECONDS:
                return False
            is_due = bool(_wanted(records, server, now))
        ended = self._monotonic()
        self._looked[server_id] = _Looked(stamp, began, ended + _REST * (ended - began))
        if not is_due:
            return False
        with self._transactions.writing() as records:
            # Looked at again: what was assigned meanwhile must not be taken away.
            server = records.servers.with_id(server_id)
            return _carry_out(records, server, _wanted(records, server, now), now)


def assigned_at(records: Records, server: Server, now: datetime) -> frozenset[RootHash]:
    """Give all that the computers of a relay's site should have, or are told to."""
    orderer = Orderer(records, now)
    said = {one.computer_id: one for one in records.check_ins.all()}
    here = {one.id for one in records.collections.all() if one.site_id == server.site_id}
    return frozenset(
        root
        for computer in records.computers.all()
        if computer.collection_id in here and computer.is_heard
        for root in orderer.roots(computer, said.get(computer.id))
    )


def _wanted(records: Records, server: Server, now: datetime) -> Mirroring:
    published = {one.root for one in records.versions.all() if one.is_published}
    shares = bool(sharers(records, server.id))
    return mirror(
        assigned_at(records, server, now) & published,
        (
            Copied(
                replica.root,
                may_go=not shares and _may_go(records, server, replica),
                is_leaving=replica.is_removing,
            )
            for replica in records.replicas.of_server(server.id)
        ),
        takes_copies=not server.maintenance,
    )


def _may_go(records: Records, server: Server, replica: Replica) -> bool:
    return (
        not replica.by_hand
        and any(
            other.is_complete and not records.servers.with_id(other.server_id).relay
            for other in records.replicas.of_root(replica.root)
            if other.server_id != server.id
        )
        and not is_in_use(records, server, replica.root)
    )


def _carry_out(records: Records, server: Server, wanted: Mirroring, now: datetime) -> bool:
    for root in sorted(wanted.comes, key=lambda root: root.hex):
        published = next(one for one in records.versions.with_root(root) if one.is_published)
        replica = replica_to_be(records, server, published, now)
        records.replicas.put(replica)
        if not replica.is_complete:
            begin_transfer(records, server, replica, published, now)
    for root in sorted(wanted.goes, key=lambda root: root.hex):
        leaving = records.replicas.find(server.id, root)
        if leaving is not None:
            records.replicas.put(replace(leaving, state=ReplicaState.REMOVING, problem=""))
            names = [one.name for one in records.versions.with_root(root)]
            text = f"{names[0] if names else root.short} on {server.name}"
            records.audit.note(Entry(now, THE_FARM, LETS_GO, text))
    if wanted:
        records.farm.raise_generation()
    return bool(wanted)
