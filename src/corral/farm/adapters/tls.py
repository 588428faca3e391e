"""TLS for Python's processes: contexts, and a protocol that shakes hands before it serves.

TLS 1.3 only: both ends are Corral's, or tools that have it.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections import Counter
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from corral.farm.domain.access.attempts import network_of

if TYPE_CHECKING:
    from collections.abc import Callable

HANDSHAKE_SECONDS: Final = 10.0
HANDSHAKES: Final = 512
HANDSHAKES_OF_ONE_ADDRESS: Final = 64
"""Connections that have not finished their handshakes, in all and of one address."""

_EXPIRED: Final = 10
_NOT_YET_VALID: Final = 9
_OTHER_HOST: Final = frozenset({62, 64})


def server_context(certificate: str, private_key: str) -> ssl.SSLContext:
    """Give the context of who listens; both in PEM. Raises ``ssl.SSLError``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    # OpenSSL reads keys from files only; this one never lies on a disk.
    descriptor = os.memfd_create("certificate", os.MFD_CLOEXEC)
    try:
        with os.fdopen(os.dup(descriptor), "w", encoding="ascii") as file:
            file.write(f"{private_key}\n{certificate}")
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
    return context


def client_context(root: str) -> ssl.SSLContext:
    """Give the context of who connects, and believes in these roots (PEM) and in no others."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(cadata=root)
    return context


def distrust(error: BaseException) -> str | None:
    """Say why the other side was not believed, and the way out; none if that was not the matter."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLCertVerificationError):
        cause = cause.__cause__ or cause.__context__
    if cause is None:
        return None
    code = cause.verify_code
    if code == _EXPIRED:
        return (
            "its certificate has expired: restart that process, which renews it, or look at the"
            " clocks of both machines"
        )
    if code == _NOT_YET_VALID:
        return "its certificate is not valid yet: look at the clocks of both machines"
    if code in _OTHER_HOST:
        return (
            "its certificate is for other addresses: start the API with --name and this one, or"
            " use one that the certificate names"
        )
    return (
        "its certificate is not of this farm: look who answers there; if it is the farm, give this"
        " machine the farm's present ca.pem"
    )


def secured(
    protocol: Callable[..., asyncio.Protocol], context: Callable[[], ssl.SSLContext]
) -> type[asyncio.Protocol]:
    """Give what uvicorn is to make for each connection: a handshake, and then ``protocol``.

    ``context`` is asked for each, so that what is renewed is shown to the next.
    """
    waiting: Counter[str] = Counter()

    class Secured(HandshakeFirst):
        def __init__(self, **wishes: object) -> None:
            super().__init__(context, partial(protocol, **wishes), waiting)

    return Secured


class HandshakeFirst(asyncio.Protocol):
    """Shakes hands under a deadline, then lets another protocol have the connection.

    What asyncio has of its own waits a minute for a handshake, and for as many as come.
    """

    def __init__(
        self,
        context: Callable[[], ssl.SSLContext],
        make: Callable[[], asyncio.Protocol],
        waiting: Counter[str],
    ) -> None:
        self._context = context
        self._make = make
        self._waiting = waiting
        self._network: str | None = None
        self._task: asyncio.Task[None] | None = None
        self._inner: asyncio.Protocol | None = None
        self._early = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake, or close if too many are on."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a stream socket has no other
        peer = transport.get_extra_info("peername")
        network = network_of(peer[0]) if isinstance(peer, tuple) else ""
        is_full = self._waiting.total() >= HANDSHAKES
        if is_full or self._waiting[network] >= HANDSHAKES_OF_ONE_ADDRESS:
            transport.abort()
            return
        self._network = network
        self._waiting[network] += 1
        transport.pause_reading()
        self._task = asyncio.get_running_loop().create_task(self._secure(transport))

    def data_received(self, data: bytes) -> None:
        """Keep what comes with the end of the handshake for who serves."""
        self._early += data

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - as asyncio has it
        """Note the end of a handshake that came to nothing."""
        self._leave()

    async def _secure(self, transport: asyncio.Transport) -> None:
        loop = asyncio.get_running_loop()
        try:
            secured = await loop.start_tls(
                transport,
                self,
                self._context(),
                server_side=True,
                ssl_handshake_timeout=HANDSHAKE_SECONDS,
                ssl_shutdown_timeout=1.0,
            )
        except OSError:
            # Strangers who speak something else, or do not believe us, are no news.
            transport.abort()
            return
        except BaseException:
            transport.abort()
            raise
        finally:
            self._leave()
        if secured is None:
            return
        inner = self._make()
        secured.set_protocol(inner)
        inner.connection_made(secured)
        if self._early:
            inner.data_received(bytes(self._early))

    def _leave(self) -> None:
        if self._network is not None:
            self._waiting[self._network] -= 1
            if not self._waiting[self._network]:
                with suppress(KeyError):
                    del self._waiting[self._network]
            self._network = None
