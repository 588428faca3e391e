"""The part of a worker that takes the steps of an upgrade; any worker's may take any step."""

from __future__ import annotations

from threading import Event, Thread
from typing import TYPE_CHECKING, Final

import structlog

from corral.farm.domain.errors import DomainError
from corral.farm.domain.task.worker import BEAT
from corral.farm.domain.upgrade.blueprint import by_worker

if TYPE_CHECKING:
    from corral.farm.application.verbs import Application

_STOP_SECONDS: Final = 5.0

_log = structlog.get_logger("corral.worker")


class Upgrading:
    """Looks once a second whether there is a step to take.

    On a thread of its own: an expand or a canary takes its time, and tasks go on meanwhile.
    """

    def __init__(self, application: Application, worker: str) -> None:
        self._application = application
        self._worker = worker
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="upgrading", daemon=True)
        self._last = ""
        self.left = ""
        """The kind of step that was left to others at the last look; empty if none was."""

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more; a step that is being taken may be taken up by another worker."""
        self._stopping.set()
        self._thread.join(_STOP_SECONDS)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._look()
            except DomainError as error:
                self._say("an upgrade's step was not taken", error.code, error.message)
            except Exception as error:  # noqa: BLE001 - the next look is made from nothing
                _log.exception("an upgrade met an unknown error", kind=type(error).__name__)
            self._stopping.wait(BEAT.total_seconds())

    def _look(self) -> None:
        advance = self._application.advance_upgrade(by_worker(self._worker))
        step = None if advance is None or not advance.is_left else advance.plan.step
        self.left = "" if step is None else step.kind.value
        if step is not None:
            self._say(
                "an upgrade's step is left to a worker of another machine",
                "step-left",
                f"this machine lacks the program for: {step.kind.value}",
            )
        if advance is not None and advance.adopted is not None:
            self._last = ""
            step = advance.adopted.step
            _log.info(
                "upgrade step",
                number=advance.adopted.generation,
                step=step.kind.value,
                server=None if step.server is None else str(step.server),
                release=None if step.release is None else str(step.release),
                because=advance.adopted.evidence,
            )

    def _say(self, what: str, code: str, detail: str) -> None:
        """Say it once until something else happens."""
        if detail != self._last:
            self._last = detail
            _log.warning(what, code=code, detail=detail)
