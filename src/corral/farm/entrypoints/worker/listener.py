"""The address at which a worker's metrics are read."""

from __future__ import annotations

import socket
import threading
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from corral.farm.domain.access.token import Token
from corral.farm.domain.errors import DeniedError
from corral.farm.domain.estate.certificate import is_loopback
from corral.farm.domain.estate.errors import AddressUnusableError, MetricsAddressError
from corral.farm.entrypoints.worker.metrics import CONTENT_TYPE
from corral.wire.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from corral.farm.domain.estate.address import Address
    from corral.farm.entrypoints.worker.metrics import WorkerMetrics

_CONNECTIONS: Final = 16
_HEADER_BYTES: Final = 16 * 1024


class MetricsListener:
    """Serves ``/metrics`` from a thread of its own."""

    def __init__(
        self, address: Address, metrics: WorkerMetrics, reader: Callable[[], Token]
    ) -> None:
        """Listen; raises ``MetricsAddressError``, ``AddressUnusableError``."""
        if not is_loopback(address.host):
            raise MetricsAddressError(str(address))
        self._metrics = metrics
        self._reader = reader
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        try:
            self._socket = socket.create_server((address.host, address.port), family=family)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise AddressUnusableError(str(address), reason) from error
        self._server = uvicorn.Server(
            uvicorn.Config(
                Starlette(routes=[Route("/metrics", self._read)]),
                loop="asyncio",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                limit_concurrency=_CONNECTIONS,
                h11_max_incomplete_event_size=_HEADER_BYTES,
                timeout_keep_alive=15,
                timeout_graceful_shutdown=1,
            )
        )
        self._thread = threading.Thread(
            target=self._server.run,
            kwargs={"sockets": [self._socket]},
            name="metrics",
            daemon=True,
        )

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """End it."""
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()

    async def _read(self, request: Request) -> Response:
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        try:
            key = Token.parse(secret)
        except DeniedError:
            key = None
        reader = self._reader().digest()
        if scheme.lower() != "bearer" or key is None or not reader.matches(key):
            return _refused()
        text = await run_in_threadpool(self._metrics.text)
        return Response(text, media_type=CONTENT_TYPE)


def _refused() -> Response:
    code, status = "bearer-missing", HTTPStatus.UNAUTHORIZED
    problem = Problem(
        type=f"urn:corral:problem:{code}",
        title=status.phrase,
        status=status,
        code=code,
        detail="send 'Authorization: Bearer TOKEN' with the farm's reader key",
    )
    headers = {"WWW-Authenticate": 'Bearer realm="corral"'}
    return JSONResponse(
        problem.model_dump(mode="json"), status, headers, "application/problem+json"
    )
