"""The API as a process."""

import asyncio
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

import structlog
import uvicorn

from corral.farm.adapters.clock import SystemClock
from corral.farm.adapters.farm_folder.login_snapshot import KeptLogins
from corral.farm.adapters.farm_folder.reader_key import reader_key
from corral.farm.adapters.randomness import RandomTokens
from corral.farm.adapters.tls import secured
from corral.farm.application.verbs import Application
from corral.farm.bootstrap import open_farm
from corral.farm.domain.access.actor import THE_FARM
from corral.farm.domain.estate.address import Address
from corral.farm.domain.estate.certificate import is_loopback
from corral.farm.domain.estate.errors import AddressUnusableError
from corral.farm.domain.estate.farm import Farm
from corral.farm.entrypoints.http.app import create_app
from corral.farm.entrypoints.http.certificate import (
    FarmsCertificate,
    GivenCertificate,
    OwnCertificate,
)
from corral.farm.entrypoints.http.connections import FewConnections
from corral.farm.entrypoints.http.logins import Logins
from corral.farm.settings import FarmSettings

if TYPE_CHECKING:
    from fastapi import FastAPI

    from corral.farm.entrypoints.http.signals import Signals

_BACKLOG: Final = 1024
_CONNECTIONS: Final = 1024
_HEADER_BYTES: Final = 16 * 1024
_KEEP_ALIVE_SECONDS: Final = 15
_STOP_SECONDS: Final = 5

_log = structlog.get_logger("corral.http")


@dataclass(frozen=True)
class Speech:
    """How the API is spoken."""

    listen: Address
    tls: bool | None = None
    """None: where others than the machine itself can listen in."""
    own: OwnCertificate | None = None
    names: tuple[str, ...] = ()
    """What the API is also reached by, for the farm's certificate."""

    @property
    def is_secured(self) -> bool:
        """Whether it is spoken by TLS."""
        if self.tls is None:
            return self.own is not None or not is_loopback(self.listen.host)
        return self.tls


def serve(settings: FarmSettings, speech: Speech) -> None:
    """Serve the farm's API until a signal says stop.

    Raises ``AddressUnusableError`` and ``CertificateUnusableError``.
    """
    listen = speech.listen
    # What devices and servers bring about, no person does; callers act in their own names.
    application = open_farm(settings).acting_as(THE_FARM)
    farm = application.show_farm().farm
    logins = Logins(
        take=application.take_login_snapshot,
        show_farm=application.show_farm,
        key=application.farm_key,
        kept=KeptLogins(settings.logins_file, farm.public_key),
        farm=farm,
        clock=SystemClock(),
        monotonic=time.monotonic,
    )
    reader = reader_key(settings.folder, RandomTokens()).digest()
    app = create_app(application, reader, logins=logins)
    certificates = application.show_certificates()
    protocol = _protocol(application, lambda: logins.farm, speech)
    with _listening(listen) as listening:
        server = _Server(
            uvicorn.Config(
                app,
                http=protocol,
                loop="asyncio",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                limit_concurrency=_CONNECTIONS,
                h11_max_incomplete_event_size=_HEADER_BYTES,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=_STOP_SECONDS,
            )
        )
        scheme = "https" if speech.is_secured else "http"
        _log.info("serving", address=f"{scheme}://{listen}", farm=farm.name)
        _warn_of_clear_text(farm, speech, certificates.root_file)
        logins.start()
        try:
            server.run(sockets=[listening])
        finally:
            logins.stop()
    _log.info("stopped")


class _Server(uvicorn.Server):
    """A server that keeps nobody waiting when it is to stop."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let those go who wait for a signal, then stop as usual."""
        app = cast("FastAPI", self.config.app)
        cast("Signals", app.state.signals).end()
        await super().shutdown(sockets)


def _protocol(
    application: Application, farm: Callable[[], Farm], speech: Speech
) -> type[asyncio.Protocol]:
    if not speech.is_secured:
        return FewConnections
    shown: GivenCertificate | FarmsCertificate
    if speech.own is not None:
        shown = GivenCertificate(speech.own, application.certify_api)
    else:
        shown = FarmsCertificate(
            application.certify_api, farm, speech.listen, speech.names, SystemClock()
        )
    shown.context()
    return secured(FewConnections, shown.context)


def _warn_of_clear_text(farm: Farm, speech: Speech, root_file: str) -> None:
    if speech.is_secured:
        plain = [url for url in farm.api_urls if url.startswith("http:")]
        if plain:
            _log.warning(
                "the farm names URLs that are not spoken here: servers and devices must use https,"
                " and know the farm by its root certificate",
                urls=plain,
                root=root_file,
            )
    elif not is_loopback(speech.listen.host):
        _log.warning(
            "passwords, keys and tickets go in the clear: only a proxy that speaks TLS may stand"
            " before this",
            address=str(speech.listen),
        )


def _listening(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    place = (address.host, address.port)
    try:
        listening = socket.create_server(place, family=family, backlog=_BACKLOG)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise AddressUnusableError(str(address), reason) from error
    return without_delay(listening)


def without_delay(listening: socket.socket) -> socket.socket:
    """Let answers end at once, not 40 ms later when the other side has acknowledged their heads.

    Connections inherit it. asyncio sees to it only for sockets that say they are TCP, as those of
    ``create_server`` do not.
    """
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening
