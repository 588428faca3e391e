"""The Rust stream server and its store, made to be what a configuration says."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

import corral_native as native
import structlog

from corral.farm.adapters.clock import SystemClock
from corral.farm.adapters.farm_folder.farm_key import is_signed
from corral.farm.domain.image.root import RootHash
from corral.farm.entrypoints.stream.materialisation import Materialiser
from corral.farm.entrypoints.stream.overlays import BaseUnusableError, Ledger, OverlayKeeper
from corral.farm.entrypoints.stream.removal import Remover
from corral.farm.entrypoints.stream.replication import Replicator
from corral.wire.server import RefusedExport, ServerReport, SessionReport

if TYPE_CHECKING:
    from collections.abc import Callable

    from corral.wire.server import Export, Replica, ServerConfiguration, ServerFile

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
    _in_force: ServerConfiguration | None = None
    _served: dict[str, native.ServedVersion] = field(default_factory=dict)
    _peers: dict[str, native.Peers] = field(default_factory=dict)
    _exports: tuple[tuple[str, native.ServedVersion], ...] = ()
    _refused: tuple[RefusedExport, ...] = ()
    _sessions: dict[tuple[str, int], SessionReport] = field(default_factory=dict)
    replicator: Replicator = field(init=False)
    remover: Remover = field(init=False)
    materialiser: Materialiser = field(init=False)
    overlays: OverlayKeeper = field(init=False)

    def __post_init__(self) -> None:
        self.replicator = Replicator(self.store, self.on_change)
        self.remover = Remover(self.store, self.replicator.may_write)
        self.materialiser = Materialiser()
        self.overlays = OverlayKeeper(self.store, self.ledger, self._base, self.on_change)

    def start(self) -> None:
        """Begin the work in the background."""
        self.replicator.start()
        self.materialiser.start()

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
        self.overlays.want(wanted.overlays, may_remove=not is_kept)
        self.overlays.work(self.server.sessions())
        self._offer()
        if wanted.draining and not self.server.is_draining:
            self.server.drain()
        elif not wanted.draining and self.server.is_draining:
            self.server.undrain()
        self._replicate(wanted)
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
        )
        return True

    def tidy(self) -> None:
        """Go on with what takes several rounds: removals, and the life of overlays."""
        self.remover.work()
        if self.overlays.work(self.server.sessions()):
            self._offer()

    def report(self) -> ServerReport:
        """Say what is; whoever came or went since the last time is logged."""
        connected = self.server.sessions()
        sessions = tuple(map(_session, connected))
        self._log_changes({(one.address, one.connected_at): one for one in sessions})
        free: int | None
        try:
            free = self.store.free_bytes()
        except native.NativeError:
            free = None
        return ServerReport(
            server=self.server_file.server,
            generation=0 if self._in_force is None else self._in_force.generation,
            draining=self.server.is_draining,
            exports=tuple(name for name, _ in self._exports),
            refused=self._refused,
            replicas=self.replicator.reports(),
            removed=self.remover.removed(),
            overlays=self.overlays.reports(connected),
            sessions=sessions,
            counters=self.server.counters(),
            store_free_bytes=free,
            sent_at=SystemClock().now().timestamp(),
        )

    def _log_changes(self, present: dict[tuple[str, int], SessionReport]) -> None:
        """One line for each, with the id of the device that the API's log has for its login."""
        for event, ones, others in (
            ("stream begins", present, self._sessions),
            ("stream ends", self._sessions, present),
        ):
            for key in ones.keys() - others.keys():
                one = ones[key]
                device = None if one.subject is None else str(one.subject)
                _log.info(
                    event,
                    device_id=device,
                    export=one.export,
                    address=one.address,
                    sent_bytes=one.sent_bytes,
                )
        self._sessions = present

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
        self.overlays.stop()
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
            peers.set([peer.url for peer in replica.peers], wanted.replication_ticket)
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


def _session(session: native.Session) -> SessionReport:
    return SessionReport(
        subject=None if session.subject is None else UUID(bytes=session.subject),
        export=session.export,
        address=session.address,
        connected_at=int(session.connected_at),
        sent_bytes=session.sent_bytes,
    )
