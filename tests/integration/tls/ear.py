"""A relay on loopback that listens in: what crosses it is kept, both ways."""

import socket
import threading
from contextlib import suppress


class Ear:
    """Stands before a server; whoever is to be heard connects to ``port``."""

    def __init__(self, target_port: int) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._target_port = target_port
        self._heard = bytearray()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def heard(self) -> bytes:
        """Everything so far."""
        return bytes(self._heard)

    def close(self) -> None:
        """Take nobody any more."""
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
                asking.close()
                continue
            threading.Thread(target=self._carry, args=(asking, answering), daemon=True).start()

    def _carry(self, asking: socket.socket, answering: socket.socket) -> None:
        with asking, answering:
            asked = threading.Thread(target=self._copy, args=(asking, answering), daemon=True)
            asked.start()
            self._copy(answering, asking)
            asked.join()

    def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while piece := source.recv(65536):
                self._heard += piece
                sink.sendall(piece)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
