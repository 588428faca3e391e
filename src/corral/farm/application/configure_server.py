"""Say what a server's stream process must do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corral.farm.application.chunk_peers import replication_ticket
from corral.farm.application.observing import observes_server
from corral.farm.application.ports.chunk_stores import Peer
from corral.farm.application.relay_transfers import is_resting
from corral.farm.application.share_line import share_of
from corral.farm.application.writers import view_of
from corral.farm.domain.backup.errors import FarmObservesError
from corral.farm.domain.estate.certificate import hosts_of_server
from corral.farm.domain.estate.scrub import MODEST, ScrubPolicy
from corral.farm.domain.image.overlay import OverlayPhase

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.application.ports.certificates import CertificateAuthority
    from corral.farm.application.ports.farm_key import FarmKey
    from corral.farm.application.ports.records import Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.delivery.device import DeviceId
    from corral.farm.domain.estate.farm import Farm
    from corral.farm.domain.estate.releases import ReleaseOrder
    from corral.farm.domain.estate.server import Server, ServerId, ServerName
    from corral.farm.domain.image.image import Content
    from corral.farm.domain.image.overlay import Overlay
    from corral.farm.domain.image.root import RootHash
    from corral.farm.domain.image.standing import Standing
    from corral.farm.domain.image.version import VersionName


@dataclass(frozen=True)
class WantedExport:
    """A version that the server offers to devices; it holds, or has held, all of it."""

    name: VersionName
    root: RootHash
    signature: bytes
    size_bytes: int
    standing: Standing


@dataclass(frozen=True)
class WantedReplica:
    """A version that the server should hold, and who can give it what it lacks.

    Listed for complete replicas too: a chunk that turns out damaged comes from the same peers.
    """

    root: RootHash
    name: VersionName
    """One version with that root; there may be several."""
    signature: bytes
    size_bytes: int
    peers: tuple[Peer, ...]
    standing: Standing
    content: Content
    doubt: int
    """The generation in which a verification found damage that nobody has healed yet; else 0."""


@dataclass(frozen=True)
class WantedOverlay:
    """What a device writes, which the server should keep."""

    overlay: Overlay
    export: str

    may_seal: bool = True

    @property
    def is_sealing(self) -> bool:
        """Whether the server is to make it a version."""
        return self.may_seal and self.overlay.phase is OverlayPhase.SEALING


@dataclass(frozen=True)
class WantedMove:
    """A device that the server asks to go elsewhere."""

    device_id: DeviceId
    target: ServerName


@dataclass(frozen=True)
class ServerConfiguration:
    """Everything that a stream process needs to go on, the farm being up or down."""

    farm: Farm
    server: Server
    exports: tuple[WantedExport, ...]
    replicas: tuple[WantedReplica, ...]
    removals: tuple[RootHash, ...]
    """What the server must forget; to be reported when it has."""
    replication_ticket: str
    overlays: tuple[WantedOverlay, ...] = ()
    moves: tuple[WantedMove, ...] = ()
    certificate_hosts: tuple[str, ...] = ()
    certificate_authority: str = ""
    """The farm's root certificate."""
    restored_at: datetime | None = None
    """When the farm was last restored from a backup: it may not know of everything there is."""
    observes: bool = False
    """It is not known yet what the server holds: it keeps all of that."""
    replication_rate: int | None = None
    """Bytes a second: its share of what the rule of its site gives at this time of day."""
    scrub: ScrubPolicy = MODEST
    """Of the server's store."""
    others: tuple[Peer, ...] = ()
    """Every other server of the farm: chunks are verified by name, so any may be asked."""
    release: str = ""
    """Of the farm."""
    order: ReleaseOrder | None = None
    """What should lie and run there."""

    @property
    def generation(self) -> int:
        """Never lower than in an earlier configuration of the same farm."""
        return self.farm.generation


class ConfigureServer:
    """Derives what a server must do from what the farm wants and what the server reported."""

    def __init__(
        self,
        transactions: Transactions,
        key: FarmKey,
        authority: CertificateAuthority,
        clock: Clock,
        release: str,
    ) -> None:
        self._transactions = transactions
        self._key = key
        self._authority = authority
        self._clock = clock
        self._release = release

    def __call__(self, server_id: ServerId, *, can_observe: bool = True) -> ServerConfiguration:
        """Give the configuration: the same bytes until something changes or a day turns.

        A server of which it is not known what it holds, the farm having been restored, is told
        nothing that takes anything away. Raises ``FarmObservesError`` if it would not keep the rest
        (``can_observe``).
        """
        with self._transactions.reading() as records:
            is_observed = observes_server(records, server_id)
            if is_observed and not can_observe:
                raise FarmObservesError
            farm = records.farm.get()
            server = records.servers.with_id(server_id)
            rate = share_of(records, server, self._clock.now())
            scrub = records.stores.with_id(server.store.belongs_to).scrub
            others = {
                other.id: other
                for other in records.servers.all()
                # Relays stand at the far end of thin lines, which are not for other sites.
                if other.id != server.id and not (other.relay and other.site_id != server.site_id)
            }
            moves = tuple(
                WantedMove(move.device_id, others[move.target].name)
                for move in records.moves.in_progress()
                if move.is_asked and move.origin == server.id and move.target in others
                if not is_observed
            )
            exports: list[WantedExport] = []
            replicas: list[WantedReplica] = []
            removals: list[RootHash] = []
            for replica in records.replicas.of_server(server.id):
                published = [v for v in records.versions.with_root(replica.root) if v.is_published]
                if replica.is_removing:
                    if not is_observed:
                        removals.append(replica.root)
                    continue
                if not published:
                    # A delete that was killed half way: neither wanted nor, until it is asked for
                    # again, to be removed.
                    continue
                if server.relay and is_resting(records, replica):
                    continue
                # No device comes to a relay, whose store needs no flat files then.
                if replica.is_offered and not server.relay:
                    exports += [
                        WantedExport(v.name, v.root, v.signature, v.size_bytes, v.standing)
                        for v in published
                    ]
                # Complete ones first; one that is still fetching may have what this one lacks.
                holders = [
                    others[other.server_id]
                    for other in sorted(
                        records.replicas.of_root(replica.root),
                        key=lambda other: not other.is_complete,
                    )
                    if other.server_id in others and not other.is_removing
                ]
                replicas.append(
                    WantedReplica(
                        root=replica.root,
                        name=published[0].name,
                        signature=published[0].signature,
                        size_bytes=published[0].size_bytes,
                        standing=published[0].standing,
                        content=records.images.with_id(published[0].image_id).content,
                        doubt=replica.doubt,
                        peers=tuple(Peer(holder.name, holder.chunk_url) for holder in holders),
                    )
                )
            restoration = records.restorations.find()
            order = None if is_observed else records.release_orders.find(server.id)
            overlays = tuple(
                WantedOverlay(overlay, view_of(records, overlay).export, may_seal=not is_observed)
                for overlay in records.overlays.of_server(server.id)
            )
        return ServerConfiguration(
            farm=farm,
            server=server,
            exports=tuple(sorted(exports, key=lambda export: export.name)),
            replicas=tuple(replicas),
            removals=tuple(removals),
            moves=moves,
            replication_ticket=replication_ticket(server, self._key, self._clock.now()),
            overlays=overlays,
            restored_at=None if restoration is None else restoration.restored_at,
            observes=is_observed,
            certificate_hosts=hosts_of_server(server),
            certificate_authority=self._authority.root(farm),
            replication_rate=rate,
            scrub=scrub,
            others=tuple(Peer(other.name, other.chunk_url) for other in others.values()),
            release=self._release,
            order=order,
        )
