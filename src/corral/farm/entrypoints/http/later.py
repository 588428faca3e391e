"""Work that nobody waits for, done beside the requests."""

import queue
import threading
from collections.abc import Callable
from typing import Final

import structlog

from corral.farm.domain.errors import DomainError

_MOST: Final = 1024

_log = structlog.get_logger("corral.http")


class Later:
    """Does one piece of work after the other in a thread of its own.

    What an answer tells must not depend on how long it took: who guesses names would learn from the
    time of a refusal that something was written down about this one.
    """

    def __init__(self) -> None:
        self._work: queue.Queue[Callable[[], None]] = queue.Queue(_MOST)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def __call__(self, work: Callable[[], None]) -> None:
        """Have it done soon; when there is too much of it, it is left out and logged."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="later", daemon=True)
                self._thread.start()
        try:
            self._work.put_nowait(work)
        except queue.Full:
            _log.warning("left out", waiting=_MOST)

    def _run(self) -> None:
        while True:
            work = self._work.get()
            try:
                work()
            except DomainError as error:
                _log.warning("not done", code=error.code, detail=error.message)
            except Exception:  # noqa: BLE001 - the next ones are to be done all the same
                _log.exception("work beside the requests failed")
