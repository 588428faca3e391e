"""The listener on a server's management address: logins while the API is away, health, metrics.

A device may log in with any server. The server hands the login on to the API; only if no API
answers, or the API has no database either, does it answer from the last snapshot of logins.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import httpx
import structlog
import uvicorn
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from corral.farm.adapters.clock import SystemClock
from corral.farm.adapters.logs import REQUEST_ID_HEADER, request_id
from corral.farm.adapters.tls import secured
from corral.farm.domain.access.token import Token, TokenDigest
from corral.farm.domain.errors import DeniedError, DomainError, InvalidInputError
from corral.farm.domain.estate.address import Address
from corral.farm.domain.estate.certificate import is_loopback
from corral.farm.domain.estate.errors import AddressUnusableError
from corral.farm.entrypoints.stream.metrics import CONTENT_TYPE
from corral.wire.login import LoginRequest
from corral.wire.problem import Problem

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence

    from starlette.requests import Request

    from corral.farm.adapters.farm_folder.login_snapshot import KeptLogins
    from corral.farm.entrypoints.stream.metrics import StreamMetrics

_BODY_BYTES: Final = 16 * 1024
_CONNECTIONS: Final = 512
_HEADER_BYTES: Final = 16 * 1024
_API_SECONDS: Final = httpx.Timeout(3.0, connect=1.0)
# Whatever else the API answers is the farm's word, a refusal with a code as well as an answer.
_API_FAULTS: Final = frozenset({500, 502, 504})
_API_AGAIN_SECONDS: Final = 5.0
_PROBLEM: Final = "application/problem+json"

_log = structlog.get_logger("corral.stream")


@dataclass(frozen=True)
class _Asked:
    device: str
    authorization: str
    body: bytes
    request_id: str
    """Goes with the login to the API, so that both processes' logs tell of the same one."""


class Management:
    """Serves the management address from a thread of its own."""

    def __init__(  # noqa: PLR0913, PLR0917 - what it needs of each other part of the process
        self,
        api_urls: Callable[[], Sequence[str]],
        logins: KeptLogins,
        metrics: StreamMetrics,
        reader_digest: Callable[[], bytes],
        trust: ssl.SSLContext | None = None,
        context: Callable[[], ssl.SSLContext | None] = lambda: None,
        routes: Sequence[Route] = (),
    ) -> None:
        """Begin with no listener; ``api_urls`` gives where the API is asked, in which order.

        https URLs are believed by ``trust``, else as browsers do; ``context`` gives what is shown
        to devices that come over a network. ``routes`` are what a relay answers besides.
        """
        self._context = context
        self.logins = logins
        self._metrics = metrics
        self._reader_digest = reader_digest
        self._api_urls = api_urls
        self._clock = SystemClock()
        self._client = httpx.Client(timeout=_API_SECONDS, trust_env=False, verify=trust or True)
        self._api_away_until: float | None = None
        self._wanted: str | None = None
        self._listener: _Listener | None = None
        self._app = Starlette(
            routes=[
                Route("/v1/devices/{name}/login", self._login, methods=["POST"]),
                Route("/v1/health", self._health),
                Route("/metrics", self._read_metrics),
                *routes,
            ]
        )

    @property
    def is_wanted(self) -> bool:
        """Whether the farm wants devices to be able to log in here."""
        return self._wanted is not None

    def listen_at(self, address: str | None) -> None:
        """Listen there, and nowhere else; an address that cannot be had is tried each time."""
        if address == self._wanted and (address is None or self._listener is not None):
            return
        self._wanted = address
        if self._listener is not None:
            self._listener.stop()
            self._listener = None
        if address is None:
            return
        try:
            listen = Address.parse(address)
            if not is_loopback(listen.host) and self._context() is None:
                # Tried again with each configuration; keys never go in the clear meanwhile.
                _log.warning("no logins here before there is a certificate", address=address)
                return
            self._listener = _Listener(listen, self._app, self._context)
        except AddressUnusableError as error:
            # Not fatal: streams matter more.
            _log.error("no logins here", code=error.code, detail=error.message)
        else:
            _log.info("answering logins", address=address)

    def stop(self) -> None:
        """End it."""
        self.listen_at(None)
        self._client.close()

    async def _health(self, _request: Request) -> Response:
        taken_at = self.logins.taken_at
        return JSONResponse(
            {
                "format": 1,
                "logins": self.logins.device_count,
                "logins_taken_at": None if taken_at is None else int(taken_at.timestamp()),
                "logins_age_seconds": self.logins.age_seconds(self._clock.now()),
            }
        )

    async def _read_metrics(self, request: Request) -> Response:
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        try:
            key = Token.parse(secret)
        except DeniedError:
            key = None
        digest = TokenDigest(self._reader_digest())
        if scheme.lower() != "bearer" or key is None or not digest.matches(key):
            detail = "send 'Authorization: Bearer TOKEN' with the farm's reader key"
            return _problem(HTTPStatus.UNAUTHORIZED, "bearer-missing", detail)
        return Response(self._metrics.text(), media_type=CONTENT_TYPE)

    async def _login(self, request: Request) -> Response:
        body = bytearray()
        async for piece in request.stream():
            body += piece
            if len(body) > _BODY_BYTES:
                detail = f"a login has at most {_BODY_BYTES} bytes"
                return _problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "request-too-large", detail)
        asked = _Asked(
            request.path_params["name"],
            request.headers.get("authorization", ""),
            bytes(body),
            request_id(request.headers.get(REQUEST_ID_HEADER)),
        )
        with structlog.contextvars.bound_contextvars(request=asked.request_id):
            answer = await run_in_threadpool(self._answer, asked)
        answer.headers[REQUEST_ID_HEADER] = asked.request_id
        return answer

    def _answer(self, asked: _Asked) -> Response:
        from_farm = self._ask_farm(asked)
        if from_farm is not None:
            return from_farm
        try:
            running = LoginRequest.model_validate_json(asked.body).running if asked.body else None
        except ValidationError as error:
            places = "; ".join("/".join(map(str, one["loc"])) for one in error.errors())
            detail = f"the request is not as the API's description says: {places}"
            return _problem(HTTPStatus.UNPROCESSABLE_ENTITY, "request-invalid", detail)
        scheme, _, secret = asked.authorization.partition(" ")
        if scheme.lower() != "bearer":
            detail = "send 'Authorization: Bearer TOKEN'"
            return _problem(HTTPStatus.UNAUTHORIZED, "bearer-missing", detail)
        try:
            key = Token.parse(secret)
            answer = self.logins.answer(asked.device, key, running, self._clock.now())
        except DomainError as error:
            return _problem(_status(error), error.code, error.message)
        _log.info("login from the snapshot", device=asked.device, taken_at=answer.answered_from)
        return Response(answer.model_dump_json(), media_type="application/json")

    def _ask_farm(self, asked: _Asked) -> Response | None:
        """Give the API's answer; none if nobody answers, or only with a fault."""
        if self._api_away_until is not None and time.monotonic() < self._api_away_until:
            return None
        headers = {REQUEST_ID_HEADER: asked.request_id}
        if asked.body:
            headers["Content-Type"] = "application/json"
        if asked.authorization:
            headers["Authorization"] = asked.authorization
        for url in self._api_urls():
            try:
                answer = self._client.post(
                    f"{url}/v1/devices/{quote(asked.device, safe='')}/login",
                    content=asked.body,
                    headers=headers,
                )
            except httpx.HTTPError:
                continue
            if answer.status_code not in _API_FAULTS:
                self._api_away_until = None
                kept = ("content-type", "retry-after", "www-authenticate")
                return Response(
                    answer.content,
                    answer.status_code,
                    {name: answer.headers[name] for name in kept if name in answer.headers},
                )
        self._api_away_until = time.monotonic() + _API_AGAIN_SECONDS
        return None


class _Listener:
    """One address, until it is stopped."""

    def __init__(
        self, address: Address, app: Starlette, context: Callable[[], ssl.SSLContext | None]
    ) -> None:
        """Listen, by TLS unless only the machine itself can; raises ``AddressUnusableError``."""

        def shown() -> ssl.SSLContext:
            found = context()
            if found is None:
                raise ConnectionRefusedError
            return found

        protocol = H11Protocol if is_loopback(address.host) else secured(H11Protocol, shown)
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        try:
            self._socket = socket.create_server(
                (address.host, address.port), family=family, backlog=_CONNECTIONS
            )
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise AddressUnusableError(str(address), reason) from error
        self._server = uvicorn.Server(
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
                timeout_keep_alive=15,
                timeout_graceful_shutdown=1,
            )
        )
        self._thread = threading.Thread(
            target=self._server.run,
            kwargs={"sockets": [self._socket]},
            name="management",
            daemon=True,
        )
        self._thread.start()

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()


def _status(error: DomainError) -> HTTPStatus:
    if isinstance(error, DeniedError):
        return HTTPStatus.UNAUTHORIZED
    if isinstance(error, InvalidInputError):
        return HTTPStatus.UNPROCESSABLE_ENTITY
    return HTTPStatus.SERVICE_UNAVAILABLE


def _problem(status: HTTPStatus, code: str, detail: str) -> Response:
    said = Problem(
        type=f"urn:corral:problem:{code}",
        title=status.phrase,
        status=status,
        code=code,
        detail=detail,
    )
    return Response(json.dumps(said.model_dump(mode="json")), status, media_type=_PROBLEM)
