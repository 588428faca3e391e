"""Tasks and schedules as JSON documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from corral.farm.application.list_tasks import TaskDetails, TaskView
    from corral.farm.application.schedule_tasks import ScheduleView
    from corral.farm.domain.task.rules import TaskRules
    from corral.farm.domain.task.task import Argument, Task, TaskRequest
    from corral.farm.entrypoints.cli.output import Json


def task_view(view: TaskView) -> dict[str, Json]:
    """Give a task of a list."""
    return {**_task(view.task), "waiting": view.waiting}


def task_details(details: TaskDetails) -> dict[str, Json]:
    """Give a task with everything about it."""
    return {
        **task_view(details.view),
        "arguments": _arguments(details.view.task.request.arguments),
        "possible": list(details.possible),
        "cancel_leaves": details.cancel_leaves,
        "goes_on": details.goes_on,
        "log": [{"at": _time(line.at), "text": line.text} for line in details.log],
    }


def rules(of: TaskRules) -> dict[str, Json]:
    """Give the rules for tasks."""
    limits = of.limits
    return {
        "of_kind": {kind.value: number for kind, number in limits.of_kind.items()},
        "of_server": limits.of_server,
        "of_kind_on_server": limits.of_kind_on_server,
        "without_server": limits.of_farm,
        "kept_days": of.kept_for.days,
        "revision": of.revision,
    }


def schedule_view(view: ScheduleView) -> dict[str, Json]:
    """Give a schedule."""
    schedule = view.schedule
    return {
        "name": schedule.name,
        "times": schedule.times.cron,
        "timezone": schedule.times.timezone,
        **_request(schedule.request),
        "arguments": _arguments(schedule.request.arguments),
        "added_at": _time(schedule.added_at),
        "last_run_at": _time(schedule.last_run_at),
        "running_task": None if view.run is None else view.run.number,
    }


def _task(task: Task) -> dict[str, Json]:
    progress, failure = task.progress, task.failure
    return {
        "number": task.number,
        **_request(task.request),
        "schedule": task.request.schedule,
        "state": task.state.value,
        "wish": task.wish.value,
        "run": task.run,
        "in_terminal": task.is_embedded,
        "worker": task.worker,
        "created_at": _time(task.created_at),
        "started_at": _time(task.started_at),
        "ended_at": _time(task.ended_at),
        "counts": task.request.kind.counts.value,
        "done_bytes": progress.done_bytes,
        "total_bytes": progress.total_bytes,
        "new_bytes": progress.new_bytes,
        "bytes_per_second": round(progress.per_second),
        "seconds_left": None if progress.seconds_left is None else round(progress.seconds_left),
        "result": task.result,
        "failure": (
            None if failure is None else {"code": failure.code, "message": failure.message}
        ),
    }


def _request(request: TaskRequest) -> dict[str, Json]:
    return {
        "kind": request.kind.value,
        "object": request.object,
        "owner": str(request.owner),
        "server": request.server,
    }


def _arguments(arguments: Mapping[str, Argument]) -> dict[str, Json]:
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in arguments.items()
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
