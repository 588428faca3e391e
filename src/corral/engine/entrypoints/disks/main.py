"""The life of a disk process."""

from __future__ import annotations

import base64
import signal
import socketserver
import threading
from typing import TYPE_CHECKING, Final

import corral_native as native
import structlog
from pydantic import ValidationError

from corral.engine.adapters.disk_messages import DiskWishes
from corral.engine.adapters.disk_process import control_socket, disk_socket, lock_file
from corral.engine.adapters.facts import release
from corral.engine.adapters.files import write_whole
from corral.engine.adapters.locks import hold
from corral.engine.domain.failures import NotRegisteredError, StoreUnusableError
from corral.engine.entrypoints.disks.offering import Offering

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType

    from corral.engine.adapters.state_folder import StateFolder

_MAXIMUM_LINE: Final = 1 << 22
_log = structlog.get_logger("corral.engine.disks")


class _Line(socketserver.StreamRequestHandler):
    """One line of wishes, one answer."""

    server: _Control
    timeout = 5.0

    def handle(self) -> None:
        line = self.rfile.readline(_MAXIMUM_LINE)
        try:
            wishes = DiskWishes.model_validate_json(line)
        except ValidationError:
            # Somebody looked whether anybody is here.
            return
        self.wfile.write(self.server.take(wishes).encode())


class _Control(socketserver.ThreadingUnixStreamServer):
    """Where the agent says what to offer. The folder that it lies in is the owner's alone."""

    daemon_threads = True

    def __init__(self, path: Path, offering: Offering, kept: Path) -> None:
        path.unlink(missing_ok=True)
        super().__init__(str(path), _Line)
        self._offering = offering
        self._kept = kept

    def take(self, wishes: DiskWishes) -> str:
        if self._offering.want(wishes):
            # So that machines read on after this process was killed, while no agent runs.
            write_whole(self._kept, wishes.model_dump_json().encode())
        return self._offering.report().model_dump_json()


def serve(state: StateFolder) -> None:
    """Offer disks until a signal says stop.

    Raises ``NotRegisteredError``, ``StoreUnusableError``, and ``AgentTwiceError``.
    """
    state.prepare()
    place = state.place()
    if place is None:
        raise NotRegisteredError
    # Never closed: held as long as this process lives.
    hold(lock_file(state), state.path, "a disk process")
    stop = threading.Event()

    def told(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, told)
    disk_socket(state).unlink(missing_ok=True)
    try:
        store = native.Store.open(state.store, str(place.farm))
        server = native.StreamServer(
            [(f"unix:{disk_socket(state)}", "open")],
            None,
            base64.b64decode(place.farm_public_key),
        )
    except (native.NativeError, OSError) as error:
        raise StoreUnusableError(str(state.store), str(error)) from error
    disk_socket(state).chmod(0o600)
    offering = Offering(store, server, release())
    kept = state.path / "disks.json"
    wishes = _read(kept)
    if wishes is not None:
        offering.want(wishes)
    # What is here is offered before anybody can ask.
    offering.open_all()
    offering.start()
    control = _Control(control_socket(state), offering, kept)
    threading.Thread(target=control.serve_forever, name="control", daemon=True).start()
    _log.info("offering disks", socket=str(disk_socket(state)))
    stop.wait()
    control.shutdown()
    control.server_close()
    offering.stop()
    server.stop()
    _log.info("stopped")


def _read(path: Path) -> DiskWishes | None:
    try:
        return DiskWishes.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        # The agent says it again within a second.
        _log.warning("the kept wishes are of no use", reason=type(error).__name__)
        return None
