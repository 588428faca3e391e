"""A TCP relay on loopback that counts what comes back, and can hold it up at a chosen byte."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

_PIECE_BYTES: Final = 16 * 1024


class Relay:
    """Stands before a server; whoever is to be counted connects to ``port``."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.target_port = 0
        self._state = threading.Condition()
        self._sent_bytes = 0
        self._limit: int | None = None
        self._is_closed = False
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def sent_bytes(self) -> int:
        """Bytes that came back from the server so far."""
        with self._state:
            return self._sent_bytes

    def hold_after(self, more_bytes: int) -> None:
        """Let so many more bytes come back, and then none until ``let_go``."""
        with self._state:
            self._limit = self._sent_bytes + more_bytes

    def let_go(self) -> None:
        """Hold nothing up any more."""
        with self._state:
            self._limit = None
            self._state.notify_all()

    def close(self) -> None:
        """Take nobody any more; what is held up ends."""
        with self._state:
            self._is_closed = True
            self._state.notify_all()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                asking, _ = self._listener.accept()
            except OSError:
                return
            try:
                answering = socket.create_connection(("127.0.0.1", self.target_port))
            except OSError:
                asking.close()
                continue
            threading.Thread(target=self._carry, args=(asking, answering), daemon=True).start()

    def _carry(self, asking: socket.socket, answering: socket.socket) -> None:
        with asking, answering:
            asked = threading.Thread(target=_copy, args=(asking, answering), daemon=True)
            asked.start()
            _copy(answering, asking, self._admit)
            asked.join()

    def _admit(self, length: int) -> bool:
        with self._state:
            self._state.wait_for(
                lambda: self._is_closed or self._limit is None or self._sent_bytes < self._limit
            )
            self._sent_bytes += length
            return not self._is_closed


def _copy(
    source: socket.socket, sink: socket.socket, admit: Callable[[int], bool] = lambda _: True
) -> None:
    with suppress(OSError):
        while (piece := source.recv(_PIECE_BYTES)) and admit(len(piece)):
            sink.sendall(piece)
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
