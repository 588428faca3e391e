"""A line on loopback that counts what comes over it."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Final

_PIECE_BYTES: Final = 64 * 1024


class Meter:
    """Stands before a server's chunk service; whoever is to be counted connects to ``port``."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._came_bytes = 0
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def came_bytes(self) -> int:
        """Everything that came from the server so far, with what its encryption adds."""
        with self._lock:
            return self._came_bytes

    def close(self) -> None:
        """Let nobody in any more."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                asking, _ = self._listener.accept()
            except OSError:
                return
            try:
                answering = socket.create_connection(("127.0.0.1", self._target_port))
            except OSError:
                # Who calls sees a line that is cut, as it is.
                asking.close()
                continue
            for source, sink, counts in ((asking, answering, False), (answering, asking, True)):
                copying = threading.Thread(
                    target=self._copy, args=(source, sink), kwargs={"counts": counts}, daemon=True
                )
                copying.start()

    def _copy(self, source: socket.socket, sink: socket.socket, *, counts: bool) -> None:
        with suppress(OSError):
            while piece := source.recv(_PIECE_BYTES):
                if counts:
                    with self._lock:
                        self._came_bytes += len(piece)
                sink.sendall(piece)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
