"""Scrub a store: read all of it, not faster than allowed, and heal what is damaged at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from corral.farm.application.chunk_peers import peers_of
from corral.farm.application.ports.chunk_stores import ScrubOrder
from corral.farm.application.shared_folders import replicas_in_folder
from corral.farm.domain.image.replica import ReplicaState

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.application.ports.certificates import CertificateAuthority
    from corral.farm.application.ports.chunk_stores import ChunkStores, StoreScrub
    from corral.farm.application.ports.farm_key import FarmKey
    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.application.progress import Progress
    from corral.farm.domain.estate.server import Server, ServerName
    from corral.farm.domain.image.version import VersionName

_PROBLEM: Final = "chunks are damaged, and no other server has them"


@dataclass(frozen=True)
class ScrubReport:
    """What a pass came to."""

    server: Server
    scrub: StoreScrub
    affected: tuple[VersionName, ...]
    """Published versions that need a chunk which nobody could give."""


class ScrubStore:
    """Reads a whole store now; who does it in the background waits meanwhile, and need not again.

    What could not be healed gets no more devices until it is sound again.
    """

    def __init__(
        self,
        transactions: Transactions,
        stores: ChunkStores,
        key: FarmKey,
        authority: CertificateAuthority,
        clock: Clock,
    ) -> None:
        self._transactions = transactions
        self._stores = stores
        self._key = key
        self._authority = authority
        self._clock = clock

    def __call__(
        self,
        server_name: ServerName,
        rate: int | None,
        progress: Progress,
        since: datetime | None = None,
    ) -> ScrubReport:
        """Give what it came to; no ``rate`` means as fast as the disk goes.

        A pass that began at ``since`` or later is gone on with instead of beginning anew: it was
        this one, before it was killed.
        """
        with self._transactions.reading() as records:
            farm = records.farm.get()
            server = records.servers.get(server_name)
            peers = peers_of(server, records, self._key, self._authority, self._clock.now())
        order = ScrubOrder(peers, rate, since or self._clock.now(), self._clock)
        scrub = self._stores.open(server.store.path, farm.id).scrub(order, progress)
        with self._transactions.writing() as records:
            _note(records, server, scrub, self._clock.now())
            affected = tuple(
                version.name
                for version in records.versions.all()
                if version.is_published and version.root in scrub.affected_roots
            )
        return ScrubReport(server, scrub, affected)


def _note(records: Records, server: Server, scrub: StoreScrub, now: datetime) -> None:
    """Bring the replicas of the folder in step with what is left.

    No doubt is needed, which would have the server read everything once more: it knows itself what
    a scrub could not heal, and asks for it again and again.
    """
    for replica in replicas_in_folder(records, server):
        is_damaged = replica.root in scrub.affected_roots
        if is_damaged and replica.is_complete:
            records.replicas.put(replica.damaged(_PROBLEM, now))
            records.farm.raise_generation()
        elif not is_damaged and replica.state is ReplicaState.DAMAGED:
            records.replicas.put(replica.found_sound(now))
            records.farm.raise_generation()
