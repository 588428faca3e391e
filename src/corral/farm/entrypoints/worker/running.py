"""One run of one task: the verb works, and meanwhile its worker gives signs of life."""

from __future__ import annotations

import time
from contextvars import copy_context
from dataclasses import replace
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Final

import structlog

from corral.farm.application.progress import Progress
from corral.farm.application.work_on_task import Failed, Finished, PutOff, Stopped, made
from corral.farm.domain.errors import DomainError
from corral.farm.domain.task.errors import TaskInternalError, TaskLostError
from corral.farm.domain.task.task import Failure, LogLine, Wish
from corral.farm.domain.task.worker import BEAT, SILENCE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from corral.farm.application.ports.records import Records
    from corral.farm.application.ports.sources import Clock
    from corral.farm.application.verbs import Application
    from corral.farm.application.work_on_task import Ending
    from corral.farm.domain.task.number import TaskNumber
    from corral.farm.domain.task.task import Task
    from corral.farm.entrypoints.worker.metrics import RunClock, WorkerMetrics

_BEAT_SECONDS: Final = BEAT.total_seconds()

_log = structlog.get_logger("corral.worker")


class Running:
    """Lends a task what it needs, and keeps it for as long as its worker may."""

    def __init__(self, application: Application, clock: Clock, task: Task, timer: RunClock) -> None:
        self.progress = Progress()
        self._application = application
        self._clock = clock
        self._task = task
        self._timer = timer
        self._lines: list[LogLine] = []
        self._lock = Lock()
        self._has_ended = Event()
        self._is_lost = False

    def stop(self) -> None:
        """Ask the verb to end early."""
        self.progress.cancel()

    def wait(self, seconds: float) -> None:
        """Let time pass; a progress that is cancelled is seen soon enough."""
        Event().wait(0.0 if self.progress.is_cancelled else seconds)

    def say(self, text: str) -> None:
        """Keep a line for the next sign of life."""
        with self._lock:
            self._lines.append(LogLine(self._clock.now(), text))

    def made(self, records: Records, result: str) -> None:
        """Keep what was made, unless the task is another's by now."""
        made(records, self._task.number, self._task.run, result)

    def __call__(self) -> None:
        """Run the verb to its end and write down how it ended."""
        ids = copy_context()  # a thread begins with none
        keeper = Thread(
            target=ids.run, args=(self._keep,), name=f"keep-{self._task.number}", daemon=True
        )
        keeper.start()
        try:
            ending = self._ran()
        finally:
            self._has_ended.set()
            keeper.join()
        self._timer.stop("lost" if ending is None else _word(ending))
        if ending is not None:
            self._write_down(ending)

    def _ran(self) -> Ending | None:
        try:
            return self._in_its_name().run_task(self._task, self)
        except TaskLostError as error:
            _log.warning("task lost", detail=error.message)
            return None
        except Exception as error:  # noqa: BLE001 - told as the task's failure, and logged
            _log.exception("task met an unknown error")
            return Failed(Failure.of(TaskInternalError(type(error).__name__)))

    def _in_its_name(self) -> Application:
        """Give the verbs as done by whoever asked for the task."""
        owner = replace(self._task.request.owner, where=f"task {self._task.number}")
        return self._application.acting_as(owner)

    def _keep(self) -> None:
        """Give a sign of life each second; too long without one, and the task is another's."""
        heard_at = time.monotonic()
        while not self._has_ended.wait(_BEAT_SECONDS):
            try:
                wish = self._beat()
            except TaskLostError:
                self._is_lost = True
            except DomainError as error:
                self._is_lost = time.monotonic() - heard_at > SILENCE.total_seconds()
                _log.warning("no sign of life", detail=error.message)
            else:
                heard_at = time.monotonic()
                if wish is not Wish.NONE:
                    self.progress.cancel()
            if self._is_lost:
                self.progress.cancel()
                return

    def _beat(self) -> Wish:
        with self._lock:
            lines, self._lines = self._lines, []
        try:
            return self._application.keep_task(
                self._task.number, self._task.run, self.progress.amounts(), lines
            )
        except DomainError:
            with self._lock:
                self._lines = [*lines, *self._lines]
            raise

    def _write_down(self, ending: Ending) -> None:
        """Write the ending down, for as long as the task is not given up."""
        deadline = time.monotonic() + SILENCE.total_seconds()
        while True:
            try:
                self._beat()
                task = self._application.end_task(
                    self._task.number, self._task.run, ending, self.progress.amounts()
                )
            except TaskLostError as error:
                _log.warning("task lost", detail=error.message)
                return
            except DomainError as error:
                _log.warning("ending not kept", detail=error.message)
                if time.monotonic() > deadline:
                    return
                Event().wait(_BEAT_SECONDS)
            else:
                level = _log.warning if isinstance(ending, Failed | PutOff) else _log.info
                level("task ended", state=task.state.value)
                return


def _ids_of(task: Task) -> Mapping[str, int | str]:
    """Give what stands in every line of a run: its task, and the request that asked for it."""
    asked_by = task.request.owner.request
    return {"task": task.number} | ({"request": asked_by} if asked_by else {})


def _word(ending: Ending) -> str:
    match ending:
        case Finished():
            return "done"
        case Failed():
            return "failed"
        case Stopped():
            return "stopped"
        case PutOff():
            return "put-off"


class Runs:
    """Every run of this process."""

    def __init__(
        self, application: Application, clock: Clock, worker: str, metrics: WorkerMetrics
    ) -> None:
        self._application = application
        self._clock = clock
        self._worker = worker
        self._metrics = metrics
        self._lock = Lock()
        self._running: set[Running] = set()
        self._stopping = Event()

    def begin(self, number: TaskNumber, run: int) -> None:
        """Claim and run; quietly done if it is not this worker's, or not any more."""
        if self._stopping.is_set():
            return
        task = self._application.claim_task(number, run, self._worker)
        if task is None:
            return
        with structlog.contextvars.bound_contextvars(**_ids_of(task)):
            self._run(task)

    def _run(self, task: Task) -> None:
        _log.info("task begins", run=task.run, kind=task.request.kind.value)
        timer = self._metrics.run_begins(task.request.kind)
        running = Running(self._application, self._clock, task, timer)
        with self._lock:
            self._running.add(running)
            if self._stopping.is_set():
                running.stop()
        try:
            running()
        finally:
            with self._lock:
                self._running.discard(running)

    def stop(self) -> None:
        """Ask every run to end; each hands its task back."""
        with self._lock:
            self._stopping.set()
            running = tuple(self._running)
        for one in running:
            one.stop()
