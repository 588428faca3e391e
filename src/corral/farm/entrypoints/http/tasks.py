"""Tasks: what takes longer than a moment, and schedules that begin it.

Whoever asks for a task, or has it tried again, needs the permission of what it does, besides that
for tasks: a worker does it in the name of the one who asked.
"""

import asyncio
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from corral.farm.application.list_tasks import ENDED_SHOWN, TASKS
from corral.farm.application.listing import page_of
from corral.farm.application.schedule_tasks import SCHEDULES
from corral.farm.application.task_kinds import KINDS, kind_named
from corral.farm.domain.access.permission import EVERYWHERE, Permission
from corral.farm.domain.task.errors import TaskWatchersFullError
from corral.farm.domain.task.number import TaskNumber
from corral.farm.domain.task.schedule import Times, schedule_name
from corral.farm.domain.task.task import TaskKind
from corral.farm.entrypoints.http import task_messages as messages
from corral.farm.entrypoints.http.permitted import Caller, permitted
from corral.farm.entrypoints.http.wishes import Wished
from corral.wire import task as wire

_ENDED_AT_MOST: Final = 100_000
_LOOK_SECONDS: Final = 1.0
_WATCHERS: Final = 64
"""Each of them looks into the database once a second."""

Reader = Annotated[Caller, permitted(Permission.TASK_READ)]
Changer = Annotated[Caller, permitted(Permission.TASK_CHANGE)]


class _Watchers:
    """Counts the streams that are open."""

    def __init__(self) -> None:
        self._open = 0

    async def follow(self, caller: Caller, number: TaskNumber) -> AsyncIterator[bytes]:
        """Give an event for each change of a task, until it has ended."""
        if self._open >= _WATCHERS:
            raise TaskWatchersFullError(_WATCHERS)
        self._open += 1
        try:
            last = ""
            while True:
                found = await run_in_threadpool(caller.application.show_task, number)
                said = messages.details(found).model_dump_json()
                # A comment, so that whoever is gone is noticed.
                yield b":\n\n" if said == last else f"event: task\ndata: {said}\n\n".encode()
                last = said
                if not found.view.task.state.is_active:
                    return
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            self._open -= 1


def routes() -> APIRouter:
    """Give the routes of tasks."""
    router = APIRouter(prefix="/v1/tasks", tags=["tasks"])
    watchers = _Watchers()

    @router.get("", operation_id="list_tasks")
    def list_tasks(
        wish: Wished,
        caller: Reader,
        ended: Annotated[int, Query(ge=0, le=_ENDED_AT_MOST)] = ENDED_SHOWN,
    ) -> wire.TaskList:
        """List every active task, whatever its age, and the last ``ended`` of the others.

        Keys are number, kind, object, state, owner, server, worker, schedule, active.
        """
        page = page_of(caller.application.list_tasks(ended=ended), TASKS, wish)
        return wire.TaskList(
            tasks=tuple(map(messages.item, page.items)), total=page.total, next=page.next
        )

    @router.post("", operation_id="start_task", status_code=HTTPStatus.ACCEPTED)
    def start_task(message: wire.NewTask, caller: Changer) -> wire.TaskDetails:
        """Queue a task for the workers."""
        _demand(caller, kind_named(message.kind))
        task = caller.application.start_task(message.kind, message.arguments)
        return messages.details(caller.application.show_task(task.number))

    @router.get("/{number}", operation_id="show_task")
    def show_task(number: int, caller: Reader) -> wire.TaskDetails:
        """Show a task with its log."""
        return messages.details(caller.application.show_task(TaskNumber(number)))

    @router.get(
        "/{number}/events",
        operation_id="follow_task",
        response_class=StreamingResponse,
        responses={200: {"content": {"text/event-stream": {}}}},
    )
    async def follow_task(number: int, caller: Reader) -> StreamingResponse:
        """Follow a task to its end: server-sent events ``task``, each as ``show_task`` answers."""
        events = watchers.follow(caller, TaskNumber(number))
        # The first one now, so that a task that is not there is an answer and not a stream.
        first = await anext(events)

        async def all_of_them() -> AsyncIterator[bytes]:
            yield first
            async for event in events:
                yield event

        return StreamingResponse(all_of_them(), media_type="text/event-stream")

    return router


def wish_routes() -> APIRouter:
    """Give the routes by which something is asked of a task."""
    router = APIRouter(prefix="/v1/tasks", tags=["tasks"])

    @router.post("/{number}/cancel", operation_id="cancel_task")
    def cancel_task(number: int, caller: Changer) -> wire.TaskDetails:
        """Cancel a task; ``cancel_leaves`` says what is left of what it has done."""
        caller.application.cancel_task(TaskNumber(number))
        return messages.details(caller.application.show_task(TaskNumber(number)))

    @router.post("/{number}/pause", operation_id="pause_task")
    def pause_task(number: int, caller: Changer) -> wire.TaskDetails:
        """Pause a task until it is resumed."""
        caller.application.pause_task(TaskNumber(number))
        return messages.details(caller.application.show_task(TaskNumber(number)))

    @router.post("/{number}/resume", operation_id="resume_task")
    def resume_task(number: int, caller: Changer) -> wire.TaskDetails:
        """Queue a paused task again."""
        _demand_of(caller, number)
        caller.application.resume_task(TaskNumber(number))
        return messages.details(caller.application.show_task(TaskNumber(number)))

    @router.post("/{number}/retry", operation_id="retry_task")
    def retry_task(number: int, caller: Changer) -> wire.TaskDetails:
        """Queue a task again that failed or was cancelled."""
        _demand_of(caller, number)
        caller.application.retry_task(TaskNumber(number))
        return messages.details(caller.application.show_task(TaskNumber(number)))

    return router


def schedule_routes() -> APIRouter:
    """Give the routes of schedules."""
    router = APIRouter(prefix="/v1/schedules", tags=["tasks"])

    @router.get("", operation_id="list_schedules")
    def list_schedules(wish: Wished, caller: Reader) -> wire.ScheduleList:
        """List the schedules; keys are name, kind, object, owner, server."""
        page = page_of(caller.application.list_schedules(), SCHEDULES, wish)
        return wire.ScheduleList(
            schedules=tuple(map(messages.schedule, page.items)), total=page.total, next=page.next
        )

    @router.post("", operation_id="add_schedule", status_code=HTTPStatus.CREATED)
    def add_schedule(message: wire.NewSchedule, caller: Changer) -> wire.ScheduleItem:
        """Have tasks begin by the clock."""
        _demand(caller, kind_named(message.kind))
        added = caller.application.add_schedule(
            schedule_name(message.name),
            Times(message.times, message.timezone),
            message.kind,
            message.arguments,
        )
        views = caller.application.list_schedules()
        return next(messages.schedule(one) for one in views if one.schedule.name == added.name)

    @router.delete("/{name}", operation_id="remove_schedule", status_code=HTTPStatus.NO_CONTENT)
    def remove_schedule(name: str, caller: Changer) -> Response:
        """Remove a schedule; a run that is under way goes on."""
        caller.application.remove_schedule(schedule_name(name))
        return Response(status_code=HTTPStatus.NO_CONTENT)

    @router.post("/{name}/cancel-run", operation_id="cancel_scheduled_run")
    def cancel_run(name: str, caller: Changer) -> wire.TaskDetails:
        """Cancel the run that is under way; the schedule stays."""
        task = caller.application.cancel_scheduled_run(schedule_name(name))
        return messages.details(caller.application.show_task(task.number))

    return router


def _demand(caller: Caller, kind: TaskKind) -> None:
    caller.demand(EVERYWHERE, KINDS[kind].permission)


def _demand_of(caller: Caller, number: int) -> None:
    seen = caller.application.show_task(TaskNumber(number))
    _demand(caller, seen.view.task.request.kind)
