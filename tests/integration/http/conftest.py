"""The API on a real socket over a farm in memory: one server that holds one version, one device."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from corral.farm.application.add_server import NewServer
from corral.farm.application.import_image import ImportRequest
from corral.farm.application.progress import Progress
from corral.farm.application.take_server_report import ServerReport
from corral.farm.application.verbs import Application
from corral.farm.domain.access.token import Token
from corral.farm.domain.delivery.device import MacAddress, device_name
from corral.farm.domain.estate.address import Address
from corral.farm.domain.estate.farm import ApiUrl, farm_name
from corral.farm.domain.estate.server import server_name
from corral.farm.domain.image.image import image_name
from corral.farm.entrypoints.http.admission import Limits
from corral.farm.entrypoints.http.app import create_app
from corral.farm.entrypoints.http.connections import FewConnections
from corral.farm.entrypoints.http.main import without_delay
from tests.farm_in_memory import MemoryPorts

DISK = Path("/disks/debian.raw")
READER = Token(b"R" * 32)


class SmallFarm:
    """A server ``s1`` that holds version ``debian/1``, and a device ``pc1`` that gets it."""

    def __init__(self) -> None:
        self.ports = MemoryPorts({DISK: b"golden" * 50_000})
        self.application = Application(self.ports)
        self.application.create_farm(farm_name("test"), (ApiUrl("http://127.0.0.1:10800"),))
        self.server = self.application.add_server(
            NewServer(
                name=server_name("s1"),
                store_path=Path("/stores/s1"),
                listen=(Address.parse("127.0.0.1:10811"),),
                chunks_listen=Address.parse("127.0.0.1:10901"),
            )
        )
        self.version = self.application.import_image(
            ImportRequest(image_name("debian"), DISK), Progress()
        ).version
        self.device = self.application.register_device(
            device_name("pc1"), MacAddress.parse("52:54:00:00:00:01"), image_name("debian")
        )

    @property
    def server_token(self) -> Token:
        return self.server.token

    @property
    def device_key(self) -> Token:
        return self.ports.secret_files.written[self.device.key_file]

    def report_in(self) -> None:
        """Let the server be online."""
        self.application.take_server_report(
            self.server.server.id, ServerReport(self.application.show_farm().farm.generation)
        )


@pytest.fixture
def farm() -> SmallFarm:
    return SmallFarm()


@contextmanager
def served(
    farm: SmallFarm,
    limits: Limits | None = None,
    protocol: type[asyncio.Protocol] = FewConnections,
) -> Iterator[httpx.Client]:
    """Serve the API of a farm on a free port."""
    with served_app(create_app(farm.application, READER.digest(), limits), protocol) as client:
        yield client


@contextmanager
def served_app(
    app: FastAPI, protocol: type[asyncio.Protocol] = FewConnections
) -> Iterator[httpx.Client]:
    """Serve an API on a free port."""
    listening = without_delay(socket.create_server(("127.0.0.1", 0)))
    config = uvicorn.Config(app, http=protocol, ws="none", lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    host, port = listening.getsockname()
    try:
        with httpx.Client(base_url=f"http://{host}:{port}", timeout=30.0) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


@pytest.fixture
def api(farm: SmallFarm) -> Iterator[httpx.Client]:
    with served(farm) as client:
        yield client


def bearer(token: Token) -> dict[str, str]:
    return {"Authorization": f"Bearer {token.reveal()}"}
