"""Run a long verb in this process, as a task that everybody can see and cancel."""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from corral.farm.application.progress import Amounts
from corral.farm.application.work_on_task import Failed, Finished, Stopped
from corral.farm.domain.errors import DomainError
from corral.farm.domain.image.errors import WorkCancelledError
from corral.farm.domain.task.errors import TaskInternalError
from corral.farm.domain.task.task import Failure, Wish
from corral.farm.domain.task.worker import BEAT
from corral.farm.entrypoints.cli.work import run_shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from corral.farm.application.progress import Progress
    from corral.farm.application.verbs import Application
    from corral.farm.application.work_on_task import Ending
    from corral.farm.domain.task.task import Argument, Task

Outcome = TypeVar("Outcome")


def run_recorded(  # noqa: PLR0913 - what to run, and how it is told
    application: Application,
    kind: str,
    arguments: Mapping[str, Argument],
    verb: Callable[[Progress], Outcome],
    *,
    title: str,
    says: Callable[[Outcome], str],
    is_quiet: bool = False,
) -> Outcome:
    """Give what ``verb`` gives; meanwhile ``corral task list`` shows it, wherever it is asked.

    ``says`` gives the line in which the task keeps what it came to, or raises what failed.
    """
    name = f"{socket.gethostname()}-{os.getpid()}"
    record = _Record(application, application.begin_task(kind, arguments, name))

    def work(progress: Progress) -> Outcome:
        # What is done before anybody has looked counts, too.
        record.follow(progress)
        return verb(progress)

    try:
        outcome = run_shown(title, work, is_quiet=is_quiet, look=record.look)
    except WorkCancelledError:
        record.end(Stopped())
        raise
    except DomainError as error:
        record.end(Failed(Failure.of(error)))
        raise
    except KeyboardInterrupt:
        record.end(Stopped())
        raise
    except Exception as error:
        record.end(Failed(Failure.of(TaskInternalError(type(error).__name__))))
        raise
    try:
        ending: Ending = Finished(says(outcome))
    except DomainError as error:
        ending = Failed(Failure.of(error))
    record.end(ending)
    return outcome


class _Record:
    """Keeps the task of this process; what it cannot keep never stops the work."""

    def __init__(self, application: Application, task: Task) -> None:
        self._application = application
        self._task = task
        self._progress: Progress | None = None
        self._kept_at = float("-inf")

    def follow(self, progress: Progress) -> None:
        """Tell the amounts of this when it has ended."""
        self._progress = progress

    def look(self, progress: Progress) -> None:
        """Give a sign of life each second, and do what somebody elsewhere wants."""
        now = time.monotonic()
        if now - self._kept_at < BEAT.total_seconds():
            return
        self._kept_at = now
        with suppress(DomainError):
            wish = self._application.keep_task(
                self._task.number, self._task.run, progress.amounts()
            )
            if wish is Wish.CANCEL:
                progress.cancel()

    def end(self, ending: Ending) -> None:
        """Write down how it ended."""
        amounts = Amounts() if self._progress is None else self._progress.amounts()
        with suppress(DomainError):
            self._application.end_task(self._task.number, self._task.run, ending, amounts)
