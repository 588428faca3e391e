"""Where an agent listens: a unix socket for commands, and loopback for the page of its status."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Final

import uvicorn

from corral.engine.adapters.files import reason_of
from corral.engine.domain.failures import AddressUnusableError
from corral.engine.entrypoints.agent.control import control_app
from corral.engine.entrypoints.agent.page import page_app

if TYPE_CHECKING:
    from pathlib import Path

    from fastapi import FastAPI

    from corral.engine.entrypoints.agent.serve import Agent

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class Listeners:
    """Both, on threads of their own."""

    def __init__(self, agent: Agent, control: Path, status: str) -> None:
        host, _, port = status.rpartition(":")
        host = host.strip("[]")
        if host not in _LOOPBACK or not port.isdecimal():
            raise AddressUnusableError(status, "it is not an address of the loopback, HOST:PORT")
        page = _bound(socket.AF_INET6 if ":" in host else socket.AF_INET, (host, int(port)), status)
        control.unlink(missing_ok=True)
        commands = _bound(socket.AF_UNIX, str(control), str(control))
        control.chmod(0o600)
        self.status_url = f"http://{host}:{page.getsockname()[1]}/"
        (control.parent / "status.url").write_text(self.status_url + "\n", "ascii")
        self._running = [
            _Running(control_app(agent), commands),
            _Running(page_app(agent.engine), page),
        ]

    def start(self) -> None:
        """Begin."""
        for one in self._running:
            one.start()

    def stop(self) -> None:
        """End."""
        for one in self._running:
            one.stop()


class _Running:
    def __init__(self, app: FastAPI, listener: socket.socket) -> None:
        config = uvicorn.Config(app, log_config=None, lifespan="off", access_log=False)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, args=([listener],), name="http", daemon=True
        )

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()


def _bound(
    family: socket.AddressFamily, address: str | tuple[str, int], shown: str
) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if family is not socket.AF_UNIX:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()
    except OSError as error:
        listener.close()
        raise AddressUnusableError(shown, reason_of(error)) from error
    return listener
