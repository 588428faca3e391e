"""The API as a process."""

import socket
import time
from typing import Final

import structlog
import uvicorn

from corral.farm.adapters.clock import SystemClock
from corral.farm.adapters.farm_folder.login_snapshot import KeptLogins
from corral.farm.adapters.randomness import RandomTokens
from corral.farm.bootstrap import open_farm
from corral.farm.domain.access.actor import THE_FARM
from corral.farm.domain.estate.address import Address
from corral.farm.domain.estate.errors import AddressUnusableError
from corral.farm.entrypoints.http.app import create_app
from corral.farm.entrypoints.http.connections import FewConnections
from corral.farm.entrypoints.http.logins import Logins
from corral.farm.entrypoints.http.reader_key import reader_key
from corral.farm.settings import FarmSettings

_BACKLOG: Final = 1024
_CONNECTIONS: Final = 1024
_HEADER_BYTES: Final = 16 * 1024
_KEEP_ALIVE_SECONDS: Final = 15
_STOP_SECONDS: Final = 5

_log = structlog.get_logger("corral.http")


def serve(settings: FarmSettings, listen: Address) -> None:
    """Serve the farm's API until a signal says stop; raises ``AddressUnusableError``."""
    # What devices and servers bring about, no person does; callers act in their own names.
    application = open_farm(settings).acting_as(THE_FARM)
    farm = application.show_farm().farm
    logins = Logins(
        take=application.take_login_snapshot,
        show_farm=application.show_farm,
        key=application.farm_key,
        kept=KeptLogins(settings.folder / "logins.json", farm.public_key),
        farm=farm.id,
        clock=SystemClock(),
        monotonic=time.monotonic,
    )
    reader = reader_key(settings.folder, RandomTokens()).digest()
    app = create_app(application, reader, logins=logins)
    with _listening(listen) as listening:
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                http=FewConnections,
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
        _log.info("serving", address=str(listen), farm=farm.name)
        logins.start()
        try:
            server.run(sockets=[listening])
        finally:
            logins.stop()
    _log.info("stopped")


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
