"""The Rust stream server and its store, made to be what a configuration says."""

from __future__ import annotations

import base64
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING

import corral_native as native
import structlog

from corral.farm.adapters.clock import SystemClock
from corral.farm.adapters.farm_folder.farm_key import is_signed
from corral.farm.domain.errors import TryAgainError
from corral.farm.domain.estate.relay import RelayRestsError, refuse_other_release
from corral.farm.domain.image.root import RootHash
from corral.farm.entrypoints.stream.materialisation import Materialiser
from corral.farm.entrypoints.stream.observing import holdings, joined
from corral.farm.entrypoints.stream.overlays import BaseUnusableError, Ledger, OverlayKeeper
from corral.farm.entrypoints.stream.removal import Remover
from corral.farm.entrypoints.stream.replication import Replicator
from corral.farm.entrypoints.stream.scrub import Scrubber
from corral.farm.entrypoints.stream.session_log import SessionLog
from corral.wire.server import RefusedExport, ServerReport

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from corral.farm.domain.estate.certificate import Certificate
    from corral.farm.entrypoints.stream.certificate import CertificateKeeper
    from corral.farm.entrypoints.stream.chunk_gate import ChunkGate
    from corral.wire.server import (
        Export,
        ReleasesReport,
        Replica,
        ServerConfiguration,
        ServerFile,
    )

_log = structlog.get_logger("corral.stream")


class _RefusedError(Exception):
    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


@dataclass
class StreamHost:
    """What runs in a stream process. Used from one thread; its helpers have theirs."""

    server_file: ServerFile
    store: native.Store
    server: native.StreamServer
    on_change: Callable[[], None]
    ledger: Ledger
    requires_tls: bool = False
    """Whether devices are let in under TLS only."""
    chunks_require_tls: bool = False
    """Whether chunks are given under TLS only."""
    chunk_gate: ChunkGate | None = None
    """Gives a relay's chunks; the stream server itself does, of any other."""
    release: str = field(default_factory=lambda: version("corral"))
    is_held: bool = False
    """Whether nobody is to be served yet: it has not shown that it does its work."""
    also_counted: list[Callable[[], Mapping[str, int]]] = field(default_factory=list)
    _shown: int = 0
    _in_force: ServerConfiguration | None = None
    _served: dict[str, native.ServedVersion] = field(default_factory=dict)
    _peers: dict[str, native.Peers] = field(default_factory=dict)
    _exports: tuple[tuple[str, native.ServedVersion], ...] = ()
    _refused: tuple[RefusedExport, ...] = ()
    _sessions: SessionLog = field(default_factory=SessionLog)
    replicator: Replicator = field(init=False)
    remover: Remover = field(init=False)
    scrubber: Scrubber = field(init=False)
    materialiser: Materialiser = field(init=False)
    overlays: OverlayKeeper = field(init=False)

    def __post_init__(self) -> None:
        self.replicator = Replicator(self.store, self.on_change)
        self.remover = Remover(self.store, self.replicator.may_write)
        self.scrubber = Scrubber(self.store, _seconds, self.on_change, self.replicator.note_damage)
        self.materialiser = Materialiser()
        self.overlays = OverlayKeeper(self.store, self.ledger, self._base, self.on_change)

    def start(self) -> None:
        """Begin the work in the background."""
        self.replicator.start()
        self.materialiser.start()
        self.scrubber.start()

    def follow(self, said: ServerConfiguration) -> ServerConfiguration | None:
        """Do what the farm says now; give what is in force by that, none if it is not for us."""
        wanted = joined(self._in_force, said)
        return wanted if self.apply(wanted) else None

    def apply(self, wanted: ServerConfiguration, *, is_kept: bool = False) -> bool:
        """Put a configuration in force; False, having done nothing, if it is not one for us.

        One that was kept from an earlier run removes nothing: what was deleted when it was written
        may be published again.
        """
        if not self._is_acceptable(wanted):
            return False
        self._in_force = wanted
        self._point_to_peers(wanted)
        exports: list[tuple[str, native.ServedVersion]] = []
        refused: list[RefusedExport] = []
        for export in wanted.exports:
            try:
                exports.append((export.name, self._opened(export)))
            except _RefusedError as error:
                refused.append(RefusedExport(name=export.name, code=error.code, detail=str(error)))
                _log.error("not offered", export=export.name, code=error.code, detail=str(error))
        self._exports = tuple(exports)
        self._refused = tuple(refused)
        bases = {overlay.base for overlay in wanted.overlays}
        offered = {version.root: version for _, version in exports}
        self._served = {r: v for r, v in self._served.items() if r in bases} | offered
        self.overlays.want(
            wanted.overlays,
            may_remove=not (is_kept or wanted.observes),
            restored_at=wanted.restored_at,
        )
        self.overlays.work(self.server.sessions())
        self._offer()
        if wanted.draining and not self.server.is_draining:
            self.server.drain()
        elif not wanted.draining and self.server.is_draining:
            self.server.undrain()
        self._replicate(wanted)
        self.scrubber.want(wanted.scrub, wanted.replication_ticket, wanted.certificate_authority)
        self.materialiser.want(self._served.values())
        # A kept wish may be long fulfilled: only the farm's present word moves anybody.
        movers = () if is_kept else wanted.moves
        self.server.ask_to_move([move.device.bytes for move in movers])
        if not is_kept:
            self.remover.want(wanted.removals, wanted.generation)
        _log.info(
            "configuration in force",
            generation=wanted.generation,
            exports=len(exports),
            refused=len(refused),
            replicas=len(wanted.replicas),
            removals=len(wanted.removals),
            overlays=len(wanted.overlays),
            moves=len(movers),
            draining=wanted.draining,
            observes=wanted.observes,
        )
        return True

    def tidy(self) -> None:
        """Go on with what takes several rounds: removals, and the life of overlays."""
        self.remover.work()
        if self.chunk_gate is not None:
            self.chunk_gate.keep(is_open=not self.refusal)
        if self.overlays.work(self.server.sessions()):
            self._offer()

    @property
    def is_relay(self) -> bool | None:
        """Whether the farm wants it to be the relay of its site; none before that is known."""
        return None if self._in_force is None else self._in_force.relay

    @property
    def refusal(self) -> str:
        """Why it serves its site nothing, of a relay; nothing if it does."""
        try:
            self.refuse()
        except TryAgainError as error:
            return error.message
        return ""

    def refuse(self) -> None:
        """Raise ``RelayReleaseDiffersError``, ``RelayRestsError`` if it is a relay and must not."""
        wanted = self._in_force
        if wanted is not None and wanted.relay:
            if self.is_held or self.is_resting:
                raise RelayRestsError(wanted.server)
            refuse_other_release(wanted.server, self.release, wanted.release)

    @property
    def is_resting(self) -> bool:
        """Whether it is a relay that the farm wants to serve nothing."""
        wanted = self._in_force
        return (
            wanted is not None and wanted.relay and wanted.order is not None and wanted.order.rest
        )

    def let_go(self) -> None:
        """Serve from now on."""
        self.is_held = False
        self._offer()

    def to_test(self) -> tuple[tuple[str, native.ServedVersion], ...]:
        """Give what is to be read before anybody is served: what is offered, or kept for a site."""
        wanted = self._in_force
        if wanted is None or not wanted.relay:
            return self._exports
        found = []
        for one in wanted.replicas:
            with suppress(_RefusedError, native.NativeError):
                if self.store.holds(one.root):
                    found.append((one.export, self._opened(one)))
        return tuple(found)

    @property
    def refused(self) -> tuple[RefusedExport, ...]:
        """What it was told to offer and does not."""
        return self._refused

    @property
    def in_force(self) -> ServerConfiguration | None:
        """What the farm wants, as far as it is known."""
        return self._in_force

    def show(self, certificates: CertificateKeeper) -> None:
        """Show the server's certificate to who connects, if it is another one than before."""
        certificate = certificates.certificate
        if certificate is None or certificates.version == self._shown:
            return
        try:
            self.server.show_certificate(certificate.text, certificates.private_key)
            if self.chunk_gate is not None:
                self.chunk_gate.show_certificate(certificate.text, certificates.private_key)
        except native.NativeError as error:
            _log.error("the certificate cannot be shown", code=error.code, detail=str(error))
        self._shown = certificates.version

    def report(
        self, certificate: Certificate | None = None, releases: ReleasesReport | None = None
    ) -> ServerReport:
        """Say what is; whoever came or went since the last time is logged."""
        connected = self.server.sessions()
        replicas = self.replicator.reports()
        free: int | None
        try:
            free = self.store.free_bytes()
        except native.NativeError:
            free = None
        return ServerReport(
            server=self.server_file.server,
            generation=0 if self._in_force is None else self._in_force.generation,
            draining=self.server.is_draining,
            exports=() if self.is_held else tuple(name for name, _ in self._exports),
            refused=self._refused,
            replicas=replicas,
            removed=self.remover.removed(),
            overlays=self.overlays.reports(connected),
            sessions=self._sessions.note(connected),
            counters=dict(self.counters()),
            store_free_bytes=free,
            sent_at=SystemClock().now().timestamp(),
            certificate_ends_at=(
                None if certificate is None else int(certificate.ends_at.timestamp())
            ),
            scrub=self.scrubber.report(),
            requires_tls=self.requires_tls,
            chunks_require_tls=self.chunks_require_tls,
            release=self.release,
            refusal=self.refusal,
            releases=releases,
            holds=None if self._in_force is None else holdings(self._in_force, replicas),
        )

    def counters(self) -> Mapping[str, int]:
        """Give all that is counted in this process."""
        counted = self.server.counters()
        if self.chunk_gate is not None:
            counted |= self.chunk_gate.counters()
        for more in self.also_counted:
            counted |= more()
        return counted

    def drain(self) -> None:
        """Let nobody in any more and ask clients to move."""
        self.server.drain()

    @property
    def reader_digest(self) -> bytes:
        """The digest of the key that opens the metrics; empty before the farm said one."""
        return b"" if self._in_force is None else base64.b64decode(self._in_force.reader_digest)

    @property
    def management(self) -> str | None:
        """Where the farm wants devices to be able to log in here."""
        return None if self._in_force is None else self._in_force.management

    @property
    def movable_sessions(self) -> int:
        """Sessions whose clients can be told to move, and have not yet.

        A disk's client has nowhere to go: what it wrote is here.
        """
        return sum(
            session.is_corral_client and "@" not in session.export
            for session in self.server.sessions()
        )

    def stop(self) -> None:
        """End everything."""
        self.server.stop()
        if self.chunk_gate is not None:
            self.chunk_gate.stop()
        self.overlays.stop()
        self.scrubber.stop()
        self.materialiser.stop()
        self.replicator.stop()

    def _is_acceptable(self, wanted: ServerConfiguration) -> bool:
        mine = self.server_file
        if (wanted.farm, wanted.server) != (mine.farm, mine.server):
            _log.error("a configuration for another server", farm=str(wanted.farm))
            return False
        if wanted.farm_public_key != mine.farm_public_key:
            _log.error("a configuration with another farm's key", generation=wanted.generation)
            return False
        in_force = self._in_force
        if in_force is not None and wanted.generation < in_force.generation:
            _log.error(
                "a configuration older than the one in force",
                generation=wanted.generation,
                in_force=in_force.generation,
            )
            return False
        return True

    def _point_to_peers(self, wanted: ServerConfiguration) -> None:
        """Versions in service keep their peers object; its addresses and ticket are renewed."""
        known = self._peers
        self._peers = {}
        for replica in wanted.replicas:
            peers = known.get(replica.root) or native.Peers()
            urls = [peer.url for peer in replica.peers]
            peers.set(urls, wanted.replication_ticket, wanted.certificate_authority)
            self._peers[replica.root] = peers

    def _opened(self, export: Export | Replica) -> native.ServedVersion:
        self._check_signature(export)
        served = self._served.get(export.root)
        if served is not None:
            return served
        try:
            served = self.store.serve(export.root, self._peers_of(export.root))
        except native.NativeError as error:
            raise _RefusedError(error.code, str(error)) from error
        self._served[export.root] = served
        return served

    def _offer(self) -> None:
        if self.is_held:
            self.server.apply((), [])
        else:
            self.server.apply(self._exports, self.overlays.offers())

    def _base(self, root: str) -> native.ServedVersion:
        """Serve the version below an overlay; the farm signed it, or it would not be here."""
        wanted = self._in_force
        signed: tuple[Export | Replica, ...] = ()
        if wanted is not None:
            signed = (*wanted.exports, *wanted.replicas)
        for one in signed:
            if one.root == root:
                try:
                    return self._opened(one)
                except _RefusedError as error:
                    raise BaseUnusableError(error.code, str(error)) from error
        code, detail = "base-unknown", "the version below is none that this server should hold"
        raise BaseUnusableError(code, detail)

    def _peers_of(self, root: str) -> native.Peers:
        return self._peers.setdefault(root, native.Peers())

    def _replicate(self, wanted: ServerConfiguration) -> None:
        replicas: dict[str, tuple[Replica, native.Peers]] = {}
        for replica in wanted.replicas:
            try:
                self._check_signature(replica)
            except _RefusedError as error:
                _log.error("not fetched", export=replica.export, code=error.code)
                continue
            replicas[replica.root] = (replica, self._peers_of(replica.root))
        self.replicator.limit(wanted.replication_rate)
        self.replicator.want(replicas)

    def _check_signature(self, signed: Export | Replica) -> None:
        key = base64.b64decode(self.server_file.farm_public_key)
        signature = base64.b64decode(signed.signature)
        if not is_signed(key, RootHash(signed.root).signed_message(), signature):
            code, detail = "signature-wrong", "the farm has not signed this root"
            raise _RefusedError(code, detail)


def _seconds() -> int:
    return int(SystemClock().now().timestamp())
