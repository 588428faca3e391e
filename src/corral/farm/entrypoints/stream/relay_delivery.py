"""Tells the farm what computers said while the line was cut, on a thread of its own."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

_LOOK_SECONDS: Final = 1.0
_AGAIN_SECONDS: Final = 5.0

_log = structlog.get_logger("corral.stream")


class RelayDelivery:
    """Delivers as soon as the farm answers."""

    def __init__(self, deliver: Callable[[], bool]) -> None:
        """``deliver`` gives False while the farm does not answer."""
        self._deliver = deliver
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="relay-delivery", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; what is on its way is awaited."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        seconds = 0.0
        while not self._stopping.wait(seconds):
            try:
                seconds = _LOOK_SECONDS if self._deliver() else _AGAIN_SECONDS
            except Exception:  # noqa: BLE001 - what cannot be delivered now can be later
                _log.exception("delivering what computers said failed")
                seconds = _AGAIN_SECONDS
