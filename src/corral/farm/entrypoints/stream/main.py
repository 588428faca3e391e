"""The life of a stream process, from its file to its last session."""

from __future__ import annotations

import base64
import os
import signal
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import corral_native as native
import structlog
from pydantic import ValidationError

from corral.farm.adapters.clock import SystemClock
from corral.farm.adapters.farm_folder.login_snapshot import KeptLogins
from corral.farm.adapters.native.errors import translated
from corral.farm.domain.errors import DomainError
from corral.farm.domain.estate.address import Address
from corral.farm.domain.estate.certificate import is_loopback
from corral.farm.domain.estate.errors import ServerFileUnusableError, ServerRemovedError
from corral.farm.entrypoints.stream.api import FarmApi, trust
from corral.farm.entrypoints.stream.certificate import CertificateKeeper, ShownCertificate
from corral.farm.entrypoints.stream.chunk_gate import ChunkGate
from corral.farm.entrypoints.stream.host import StreamHost
from corral.farm.entrypoints.stream.kept import KeptConfiguration
from corral.farm.entrypoints.stream.management import Management
from corral.farm.entrypoints.stream.metrics import StreamMetrics
from corral.farm.entrypoints.stream.overlays import Ledger
from corral.farm.entrypoints.stream.relay_book import RelayBook
from corral.farm.entrypoints.stream.relay_delivery import RelayDelivery
from corral.farm.entrypoints.stream.relay_front import RelayFront
from corral.farm.entrypoints.stream.release_watch import ReleaseWatch
from corral.farm.entrypoints.stream.releases import Supervised
from corral.farm.entrypoints.stream.urls import ApiUrls
from corral.wire.server import ServerFile

if TYPE_CHECKING:
    from types import FrameType

    from corral.wire.server import ServerConfiguration

_CYCLE_SECONDS: Final = 1.0
# A change of the farm brings a new snapshot at once; otherwise they only grow old.
_LOGINS_CYCLES: Final = 5
_DRAIN_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 0.1

_log = structlog.get_logger("corral.stream")


class _Signals:
    """What the process was told from outside. The first signal drains, the second stops at once."""

    def __init__(self) -> None:
        self.wake = threading.Event()
        self.hurry = threading.Event()
        self.is_stopping = False

    def listen(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._told)

    def _told(self, _number: int, _frame: FrameType | None) -> None:
        if self.is_stopping:
            self.hurry.set()
        self.is_stopping = True
        self.wake.set()


def serve(config: Path, *, tls: bool | None = None) -> None:
    """Stream until a signal says stop, or the farm that this server was removed.

    ``tls`` says whether devices and other servers are let in under TLS only; none: where others
    can listen in.

    Raises ``ServerFileUnusableError``, ``AddressUnusableError``, ``ServerRemovedError`` and what
    opening a store raises.
    """
    server_file = _server_file(config)
    structlog.contextvars.bind_contextvars(server=server_file.server)
    signals = _Signals()
    signals.listen()
    with translated(Path(server_file.store)):
        store = native.Store.open(server_file.store, str(server_file.farm))
    urls = ApiUrls(server_file.api_urls)
    supervised = Supervised.by(os.environ)
    certificates = CertificateKeeper(config, SystemClock())
    certificates.load()
    process = _Process(
        config,
        server_file,
        tls,
        signals,
        store,
        urls,
        FarmApi(server_file, urls),
        KeptConfiguration(config),
        certificates,
        _kept_logins(config, server_file),
        supervised,
    )
    try:
        while process.serve_in_role():
            _log.info("begins anew: the farm has another role for it")
    finally:
        process.api.close()
    _log.info("stopped")
    if process.api.dismissal:
        process.kept.forget()
        raise ServerRemovedError(process.api.dismissal)


@dataclass(frozen=True)
class _Process:
    """What a process has one of, whatever its role."""

    config: Path
    server_file: ServerFile
    tls: bool | None
    signals: _Signals
    store: native.Store
    urls: ApiUrls
    api: FarmApi
    kept: KeptConfiguration
    certificates: CertificateKeeper
    logins: KeptLogins
    supervised: Supervised | None

    def serve_in_role(self) -> bool:
        """Serve as the server or the relay that it was last; whether to go on as the other."""
        last = self.kept.read()
        is_relay = last is not None and last.relay
        host = self._host(is_relay=is_relay)
        host.start()
        watch = ReleaseWatch.over(host, self.supervised, self.signals.wake.set)
        front = self._front(host) if is_relay else None
        delivery = None if front is None else RelayDelivery(front.deliver)
        if front is not None:
            host.also_counted.append(front.counters)
        host.show(self.certificates)
        management = Management(
            self.urls.in_turn,
            self.logins,
            StreamMetrics(host.server, host.scrubber.report, host.counters),
            lambda: host.reader_digest,
            trust(self.server_file),
            ShownCertificate(self.certificates).context,
            () if front is None else front.routes(),
        )
        try:
            if delivery is not None:
                delivery.start()
            is_changed = self._follow(host, management, last, watch, is_relay=is_relay)
            _drain(host, self.signals)
        finally:
            watch.stop()
            management.stop()
            if delivery is not None:
                delivery.stop()
            host.stop()
        return is_changed

    def _host(self, *, is_relay: bool) -> StreamHost:
        mine, tls = self.server_file, self.tls
        chunks_tls = _is_secured(mine.chunks, tls=tls)
        with translated(Path(mine.store)):
            server = native.StreamServer(
                [(address, _access(address, tls=tls)) for address in mine.listen],
                None if is_relay else mine.chunks,
                base64.b64decode(mine.farm_public_key),
                chunk_tls=chunks_tls,
            )
            if not is_relay:
                server.serve_store(self.store)
        host = StreamHost(
            mine,
            self.store,
            server,
            on_change=self.signals.wake.set,
            ledger=Ledger(self.config.with_name(f"{self.config.stem}.overlays.json")),
            requires_tls=any(_access(address, tls=tls) == "ticket-tls" for address in mine.listen),
            chunks_require_tls=chunks_tls,
            chunk_gate=ChunkGate(mine, self.store, tls=chunks_tls) if is_relay else None,
            is_held=self.supervised is not None and self.supervised.is_on_trial,
        )
        _log.info("serving", addresses=server.addresses, chunks=mine.chunks, store=mine.store)
        return host

    def _front(self, host: StreamHost) -> RelayFront:
        key = base64.b64decode(self.server_file.farm_public_key)
        return RelayFront(
            self.server_file.server,
            self.urls.in_turn,
            self.urls.note_answer,
            trust(self.server_file),
            RelayBook.beside(self.config, key),
            host.refuse,
        )

    def _follow(
        self,
        host: StreamHost,
        management: Management,
        last: ServerConfiguration | None,
        watch: ReleaseWatch,
        *,
        is_relay: bool,
    ) -> bool:
        """Keep to the farm's configuration until told to stop, or that it wants nothing any more.

        Gives whether it wants the other role: that of a relay, or of a server of devices.
        """
        api, signals, cycles = self.api, self.signals, 0
        if last is not None and host.apply(last, is_kept=True):
            api.urls.adopt(last.api_urls)
            management.listen_at(host.management)
        api.ask_anew()
        while not signals.is_stopping:
            signals.wake.clear()
            said = api.configuration()
            if api.dismissal:
                return False
            wanted = None if said is None else host.follow(said)
            if wanted is not None:
                if api.urls.adopt(wanted.api_urls):
                    _log.info("the farm's API is at other URLs", urls=list(wanted.api_urls))
                watch.want(wanted.order)
                self.kept.write(wanted.model_copy(update={"api_urls": api.urls.to_keep()}))
                if wanted.relay != is_relay:
                    return True
            if host.in_force is not None:
                self.certificates.follow(host.in_force, api.certify)
                host.show(self.certificates)
            management.listen_at(host.management)
            host.tidy()
            watch.work()
            api.report(host.report(self.certificates.certificate, watch.report()))
            if management.is_wanted and (wanted is not None or cycles % _LOGINS_CYCLES == 0):
                _renew(management.logins, api)
            cycles += 1
            # Not cleared between the look and the wait: a signal in between is not slept through.
            if not signals.is_stopping:
                signals.wake.wait(_CYCLE_SECONDS)
        return False


def _kept_logins(config: Path, server_file: ServerFile) -> KeptLogins:
    path = config.with_name(f"{config.stem}.logins.json")
    logins = KeptLogins(path, base64.b64decode(server_file.farm_public_key))
    try:
        logins.load()
    except DomainError as error:
        # Not fatal: the API has a new one.
        _log.warning("no snapshot of logins", code=error.code, detail=error.message)
    return logins


def _renew(logins: KeptLogins, api: FarmApi) -> None:
    signed = api.logins()
    if signed is None:
        return
    try:
        logins.keep(signed)
    except DomainError as error:
        _log.warning("the snapshot of logins is not kept", code=error.code, detail=error.message)


def _drain(host: StreamHost, signals: _Signals) -> None:
    """Ask clients to move and give them time to."""
    host.drain()
    _log.info("draining", sessions=host.movable_sessions)
    waited = 0.0
    while host.movable_sessions and waited < _DRAIN_SECONDS:
        if signals.hurry.wait(_LOOK_SECONDS):
            return
        waited += _LOOK_SECONDS


def _server_file(config: Path) -> ServerFile:
    try:
        return ServerFile.model_validate_json(config.read_bytes())
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ServerFileUnusableError(config, reason) from error
    except ValidationError as error:
        # Where, never what: the file holds a secret.
        places = ", ".join("/".join(map(str, one["loc"])) for one in error.errors())
        raise ServerFileUnusableError(config, f"wrong at {places}") from None


def _access(address: str, *, tls: bool | None) -> str:
    # A unix socket is guarded by its file's mode; whoever comes over the network needs a ticket,
    # and shows it to nobody else.
    if address.startswith("unix:"):
        return "open"
    return "ticket-tls" if _is_secured(address, tls=tls) else "ticket"


def _is_secured(address: str, *, tls: bool | None) -> bool:
    return not is_loopback(Address.parse(address).host) if tls is None else tls
