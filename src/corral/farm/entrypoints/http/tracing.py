"""Every request has an id and is counted, and its answer is kept by nobody on the way.

The id is the caller's ``X-Request-Id`` or a new one; it stands in each line that is logged for the
request, whichever thread logs it, and in the answer. A server that hands a device's login on hands
its id on too, so that both processes' logs tell of the same login.
"""

import time
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from corral.farm.adapters.logs import REQUEST_ID_HEADER, request_id

_HEADER: Final = REQUEST_ID_HEADER.encode()
_NOT_KEPT: Final = (b"cache-control", b"no-store")
"""Answers hold keys and tokens, or what is true for a moment: none is for a cache on the way."""
_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Tracing:
    """ASGI middleware around everything else."""

    def __init__(self, app: ASGIApp, registry: CollectorRegistry) -> None:
        self._app = app
        self._requests = Counter(
            "corral_http_requests",
            "Requests answered.",
            ("method", "route", "status"),
            registry=registry,
        )
        self._seconds = Histogram(
            "corral_http_request_seconds",
            "From a request's first byte to its answer's last.",
            ("route",),
            buckets=_BUCKETS,
            registry=registry,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Give the request an id, and note how it ended."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        own_id = _id_of(scope)
        status = 500
        began_at = time.monotonic()

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                named = [*message.get("headers", []), (_HEADER, own_id.encode()), _NOT_KEPT]
                message = {**message, "headers": named}
            await send(message)

        with structlog.contextvars.bound_contextvars(request=own_id):
            try:
                await self._app(scope, receive, watched)
            finally:
                route = _route_of(scope)
                self._requests.labels(scope["method"], route, str(status)).inc()
                self._seconds.labels(route).observe(time.monotonic() - began_at)


def _id_of(scope: Scope) -> str:
    given = dict(scope["headers"]).get(_HEADER)
    return request_id(None if given is None else given.decode("latin-1"))


def _route_of(scope: Scope) -> str:
    """Give the route's own path: paths may be anything, and a label for each would be too many."""
    return getattr(scope.get("route"), "path", None) or "none"
