"""Say what a server's stream process must do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corral.farm.application.chunk_peers import replication_ticket
from corral.farm.application.ports.chunk_stores import Peer
from corral.farm.application.writers import view_of
from corral.farm.domain.image.overlay import OverlayPhase

if TYPE_CHECKING:
    from corral.farm.application.ports.farm_key import FarmKey
    from corral.farm.application.ports.records import Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.delivery.device import DeviceId
    from corral.farm.domain.estate.farm import Farm
    from corral.farm.domain.estate.server import Server, ServerId, ServerName
    from corral.farm.domain.image.overlay import Overlay
    from corral.farm.domain.image.root import RootHash
    from corral.farm.domain.image.version import VersionName


@dataclass(frozen=True)
class WantedExport:
    """A version that the server offers to devices; it holds, or has held, all of it."""

    name: VersionName
    root: RootHash
    signature: bytes
    size_bytes: int


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
    doubt: int
    """The generation in which a verification found damage that nobody has healed yet; else 0."""


@dataclass(frozen=True)
class WantedOverlay:
    """What a device writes, which the server should keep."""

    overlay: Overlay
    export: str

    @property
    def is_sealing(self) -> bool:
        """Whether the server is to make it a version."""
        return self.overlay.phase is OverlayPhase.SEALING


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
    replication_rate: int | None = None
    """Bytes a second, by the rule of the server's site at this time of day."""

    @property
    def generation(self) -> int:
        """Never lower than in an earlier configuration of the same farm."""
        return self.farm.generation


class ConfigureServer:
    """Derives what a server must do from what the farm wants and what the server reported."""

    def __init__(self, transactions: Transactions, key: FarmKey, clock: Clock) -> None:
        self._transactions = transactions
        self._key = key
        self._clock = clock

    def __call__(self, server_id: ServerId) -> ServerConfiguration:
        """Give the configuration: the same bytes until something changes or a day turns."""
        with self._transactions.reading() as records:
            farm = records.farm.get()
            server = records.servers.with_id(server_id)
            site = records.sites.with_id(server.site_id)
            others = {other.id: other for other in records.servers.all() if other.id != server.id}
            moves = tuple(
                WantedMove(move.device_id, others[move.target].name)
                for move in records.moves.in_progress()
                if move.is_asked and move.origin == server.id and move.target in others
            )
            exports: list[WantedExport] = []
            replicas: list[WantedReplica] = []
            removals: list[RootHash] = []
            for replica in records.replicas.of_server(server.id):
                published = [v for v in records.versions.with_root(replica.root) if v.is_published]
                if not published:
                    # Others belong to a delete that was killed half way: neither wanted nor, until
                    # it is asked for again, to be removed.
                    if replica.is_removing:
                        removals.append(replica.root)
                    continue
                if replica.is_offered:
                    exports += [
                        WantedExport(v.name, v.root, v.signature, v.size_bytes) for v in published
                    ]
                # Complete ones first; one that is still fetching may have what this one lacks.
                holders = [
                    others[other.server_id]
                    for other in sorted(
                        records.replicas.of_root(replica.root),
                        key=lambda other: not other.is_complete,
                    )
                    if other.server_id in others
                ]
                replicas.append(
                    WantedReplica(
                        root=replica.root,
                        name=published[0].name,
                        signature=published[0].signature,
                        size_bytes=published[0].size_bytes,
                        doubt=replica.doubt,
                        peers=tuple(Peer(holder.name, holder.chunk_url) for holder in holders),
                    )
                )
            overlays = tuple(
                WantedOverlay(overlay, view_of(records, overlay).export)
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
            replication_rate=site.bandwidth.rate_at(self._clock.now()),
        )
