"""Tasks and schedules as messages."""

from collections.abc import Mapping
from datetime import datetime

from corral.farm.application.list_tasks import TaskDetails, TaskView
from corral.farm.application.schedule_tasks import ScheduleView
from corral.farm.domain.task.task import Argument
from corral.wire import task as wire


def item(view: TaskView) -> wire.TaskItem:
    """Give a task."""
    task, progress, failure = view.task, view.task.progress, view.task.failure
    left = progress.seconds_left
    return wire.TaskItem(
        number=task.number,
        kind=task.request.kind.value,
        object=task.request.object,
        owner=str(task.request.owner),
        server=task.request.server,
        schedule=task.request.schedule,
        state=task.state.value,
        wish=task.wish.value,
        waiting=view.waiting,
        run=task.run,
        in_terminal=task.is_embedded,
        worker=task.worker,
        created_at=int(task.created_at.timestamp()),
        started_at=_seconds(task.started_at),
        ended_at=_seconds(task.ended_at),
        counts=task.request.kind.counts.value,
        done_bytes=progress.done_bytes,
        total_bytes=progress.total_bytes,
        new_bytes=progress.new_bytes,
        bytes_per_second=round(progress.per_second),
        seconds_left=None if left is None else round(left),
        result=task.result,
        failure=(
            None
            if failure is None
            else wire.TaskFailure(code=failure.code, message=failure.message)
        ),
    )


def details(found: TaskDetails) -> wire.TaskDetails:
    """Give a task with everything about it."""
    return wire.TaskDetails(
        task=item(found.view),
        arguments=_arguments(found.view.task.request.arguments),
        log=tuple(
            wire.TaskLogLine(at=int(line.at.timestamp()), text=line.text) for line in found.log
        ),
        possible=found.possible,
        cancel_leaves=found.cancel_leaves,
        goes_on=found.goes_on,
    )


def schedule(view: ScheduleView) -> wire.ScheduleItem:
    """Give a schedule."""
    seen = view.schedule
    return wire.ScheduleItem(
        name=seen.name,
        times=seen.times.cron,
        timezone=seen.times.timezone,
        kind=seen.request.kind.value,
        object=seen.request.object,
        owner=str(seen.request.owner),
        server=seen.request.server,
        arguments=_arguments(seen.request.arguments),
        added_at=int(seen.added_at.timestamp()),
        last_run_at=_seconds(seen.last_run_at),
        running_task=None if view.run is None else view.run.number,
    )


def _arguments(given: Mapping[str, Argument]) -> dict[str, wire.Argument]:
    return dict(given)


def _seconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())
