"""The chunk service of a relay, which gives nothing while the relay must not serve."""

from __future__ import annotations

import base64
from collections import Counter
from typing import TYPE_CHECKING

import corral_native as native
import structlog

if TYPE_CHECKING:
    from corral.wire.server import ServerFile

_log = structlog.get_logger("corral.stream")


class ChunkGate:
    """Opened and closed from one thread. Closed, nobody listens at the address."""

    def __init__(self, server_file: ServerFile, store: native.Store, *, tls: bool) -> None:
        self._server_file = server_file
        self._store = store
        self._tls = tls
        self._server: native.StreamServer | None = None
        self._certificate: tuple[str, str] | None = None
        self._before: Counter[str] = Counter()
        self._said = ""

    def show_certificate(self, certificate: str, private_key: str) -> None:
        """Show this to whoever connects from now on; both in PEM."""
        self._certificate = (certificate, private_key)
        if self._server is not None:
            self._server.show_certificate(certificate, private_key)

    def keep(self, *, is_open: bool) -> None:
        """Be open, or closed; an address that cannot be had is tried each time."""
        if is_open == (self._server is not None):
            return
        if not is_open:
            self.stop()
            return
        try:
            server = native.StreamServer(
                [],
                self._server_file.chunks,
                base64.b64decode(self._server_file.farm_public_key),
                chunk_tls=self._tls,
            )
        except native.NativeError as error:
            if str(error) != self._said:
                _log.error("no chunks here", code=error.code, detail=str(error))
            self._said = str(error)
            return
        if self._certificate is not None:
            server.show_certificate(*self._certificate)
        server.serve_store(self._store)
        self._server, self._said = server, ""

    def counters(self) -> dict[str, int]:
        """Give what its service counted since the process began."""
        return dict(self._before + Counter(self._present()))

    def stop(self) -> None:
        """Close."""
        if self._server is not None:
            self._before.update(self._present())
            self._server.stop()
            self._server = None

    def _present(self) -> dict[str, int]:
        found = {} if self._server is None else self._server.counters()
        return {name: value for name, value in found.items() if name.startswith("chunk_")}
