"""The API as a process: ``python -m corral.farm.entrypoints.http``, or ``corral serve api``."""

import argparse
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import structlog
import uvicorn

from corral.farm.adapters import logs
from corral.farm.adapters.randomness import RandomTokens
from corral.farm.bootstrap import open_farm
from corral.farm.domain.errors import DomainError
from corral.farm.entrypoints.http.app import create_app
from corral.farm.entrypoints.http.reader_key import reader_key
from corral.farm.settings import FarmSettings

DEFAULT_LISTEN: Final = "127.0.0.1:10800"

_BACKLOG: Final = 1024
_CONNECTIONS: Final = 1024
_HEADER_BYTES: Final = 16 * 1024
_KEEP_ALIVE_SECONDS: Final = 15
_STOP_SECONDS: Final = 5

_log = structlog.get_logger("corral.http")


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="corral serve api", description="Serve the farm's API.")
    parser.add_argument("--farm", type=Path, help="the farm folder (CORRAL_FARM)")
    parser.add_argument(
        "--listen",
        default=DEFAULT_LISTEN,
        metavar="HOST:PORT",
        help="where to listen; port 0 takes a free one (default: %(default)s)",
    )
    parser.add_argument("--log-format", choices=("text", "json"), default="text")
    chosen = parser.parse_args(arguments)
    logs.set_up(chosen.log_format)
    settings = FarmSettings.read(chosen.farm, os.environ)
    try:
        application = open_farm(settings)
        farm = application.show_farm().farm
        app = create_app(application, reader_key(settings.folder, RandomTokens()).digest())
        listening = _listening(chosen.listen)
    except DomainError as error:
        _log.error("cannot start", code=error.code, detail=error.message)
        return 1
    except (OSError, ValueError) as error:
        _log.error("cannot start", code="api-cannot-start", detail=str(error))
        return 1
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            http="h11",
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
    host, port = listening.getsockname()[:2]
    _log.info("serving", address=f"{host}:{port}", farm=farm.name)
    server.run(sockets=[listening])
    _log.info("stopped")
    return 0


def _listening(address: str) -> socket.socket:
    host, separator, port = address.rpartition(":")
    if not separator or not port.isdecimal():
        message = f"{address!r} is not HOST:PORT"
        raise ValueError(message)
    host = host.removeprefix("[").removesuffix("]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, int(port)), family=family, backlog=_BACKLOG)


if __name__ == "__main__":
    sys.exit(main())
