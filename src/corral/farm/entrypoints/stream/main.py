"""The life of a stream process, from its file to its last session."""

from __future__ import annotations

import base64
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

import corral_native as native
import structlog
from pydantic import ValidationError

from corral.farm.adapters.farm_folder.login_snapshot import KeptLogins
from corral.farm.adapters.native.errors import translated
from corral.farm.domain.errors import DomainError
from corral.farm.domain.estate.errors import ServerFileUnusableError
from corral.farm.entrypoints.stream.api import FarmApi
from corral.farm.entrypoints.stream.host import StreamHost
from corral.farm.entrypoints.stream.kept import KeptConfiguration
from corral.farm.entrypoints.stream.management import Management
from corral.farm.entrypoints.stream.metrics import StreamMetrics
from corral.farm.entrypoints.stream.overlays import Ledger
from corral.wire.server import ServerFile

if TYPE_CHECKING:
    from types import FrameType

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


def serve(config: Path) -> None:
    """Stream until a signal says stop.

    Raises ``ServerFileUnusableError``, ``AddressUnusableError`` and what opening a store raises.
    """
    server_file = _server_file(config)
    structlog.contextvars.bind_contextvars(server=server_file.server)
    signals = _Signals()
    signals.listen()
    with translated(Path(server_file.store)):
        store = native.Store.open(server_file.store, str(server_file.farm))
        server = native.StreamServer(
            [(address, _access(address)) for address in server_file.listen],
            server_file.chunks,
            base64.b64decode(server_file.farm_public_key),
        )
        server.serve_store(store)
    ledger = Ledger(config.with_name(f"{config.stem}.overlays.json"))
    host = StreamHost(server_file, store, server, on_change=signals.wake.set, ledger=ledger)
    host.start()
    _log.info(
        "serving", addresses=server.addresses, chunks=server_file.chunks, store=server_file.store
    )
    api = FarmApi(server_file)
    logins = _kept_logins(config, server_file)
    management = Management(
        server_file.api_urls, logins, StreamMetrics(server), lambda: host.reader_digest
    )
    try:
        _follow(host, api, KeptConfiguration(config), management, signals)
        _drain(host, signals)
    finally:
        management.stop()
        host.stop()
        api.close()
    _log.info("stopped")


def _kept_logins(config: Path, server_file: ServerFile) -> KeptLogins:
    path = config.with_name(f"{config.stem}.logins.json")
    logins = KeptLogins(path, base64.b64decode(server_file.farm_public_key))
    try:
        logins.load()
    except DomainError as error:
        # Not fatal: the API has a new one.
        _log.warning("no snapshot of logins", code=error.code, detail=error.message)
    return logins


def _follow(
    host: StreamHost,
    api: FarmApi,
    kept: KeptConfiguration,
    management: Management,
    signals: _Signals,
) -> None:
    """Keep to the farm's configuration until told to stop."""
    cycles = 0
    last = kept.read()
    if last is not None and host.apply(last, is_kept=True):
        management.listen_at(host.management)
    while not signals.is_stopping:
        signals.wake.clear()
        wanted = api.configuration()
        if wanted is not None and host.apply(wanted):
            kept.write(wanted)
        management.listen_at(host.management)
        host.tidy()
        api.report(host.report())
        if management.is_wanted and (wanted is not None or cycles % _LOGINS_CYCLES == 0):
            _renew(management.logins, api)
        cycles += 1
        # Not cleared between the look and the wait: a signal in between is not slept through.
        if not signals.is_stopping:
            signals.wake.wait(_CYCLE_SECONDS)


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


def _access(address: str) -> str:
    # A unix socket is guarded by its file's mode; whoever comes over the network needs a ticket.
    return "open" if address.startswith("unix:") else "ticket"
