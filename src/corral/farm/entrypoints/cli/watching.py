"""Follow tasks while they are done."""

from __future__ import annotations

import sys
from threading import Event
from typing import TYPE_CHECKING, Final

from corral.farm.application.progress import Amounts
from corral.farm.domain.task.state import TaskState
from corral.farm.entrypoints.cli.output import table_of
from corral.farm.entrypoints.cli.work import display_for

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.table import Table

    from corral.farm.application.list_tasks import TaskDetails, TaskView
    from corral.farm.application.verbs import Application
    from corral.farm.domain.task.number import TaskNumber
    from corral.farm.domain.task.task import TaskProgress

_LOOK_SECONDS: Final = 0.5


def follow_one(application: Application, number: TaskNumber, *, is_quiet: bool) -> TaskDetails:
    """Show a task's progress and every new line of its log until it has ended or is paused.

    Whoever does the work reports once a second to the farm; there is nobody to be woken by.
    """
    pause = Event()
    told = 0
    details = application.show_task(number)
    request = details.view.task.request
    title, counts = f"{request.kind} {request.object}", request.kind.counts.value
    with display_for(title, is_quiet=is_quiet, counts=counts) as display:
        while True:
            if not is_quiet:
                for line in details.log[told:]:
                    sys.stderr.write(f"{line.text}\n")
            told = len(details.log)
            task = details.view.task
            if task.state is TaskState.RUNNING:
                display.show(_amounts(task.progress))
            if task.state not in (TaskState.QUEUED, TaskState.RUNNING):
                return details
            pause.wait(_LOOK_SECONDS)
            details = application.show_task(number)


def _amounts(progress: TaskProgress) -> Amounts:
    return Amounts(
        total_bytes=progress.total_bytes,
        done_bytes=progress.done_bytes,
        new_bytes=progress.new_bytes,
    )


def follow_all(
    application: Application,
    columns: Sequence[str],
    row: Callable[[TaskView], Sequence[str]],
    *,
    is_quiet: bool,
) -> None:
    """Show the active tasks until nothing is queued or running any more."""
    if is_quiet or not sys.stdout.isatty():
        while _busy(application):
            Event().wait(_LOOK_SECONDS)
        return
    from rich.live import Live  # noqa: PLC0415 - not for `--help`

    def table() -> Table:
        active = [view for view in application.list_tasks() if view.task.state.is_active]
        return table_of("", columns, map(row, active))

    with Live(table(), auto_refresh=False) as live:
        while _busy(application):
            Event().wait(_LOOK_SECONDS)
            live.update(table(), refresh=True)


def _busy(application: Application) -> bool:
    states = {view.task.state for view in application.list_tasks(ended=0)}
    return bool(states & {TaskState.QUEUED, TaskState.RUNNING})
