"""``corral task``."""

from typing import TYPE_CHECKING, Annotated, Final

import typer

from corral.farm.entrypoints.cli import opening, task_amounts, task_documents
from corral.farm.entrypoints.cli.group import command_group
from corral.farm.entrypoints.cli.listing import (
    AfterOption,
    FilterOption,
    LimitOption,
    SortOption,
    page_of,
    print_page,
    print_page_json,
    wish_of,
)
from corral.farm.entrypoints.cli.opening import FarmOption, JsonOption
from corral.farm.entrypoints.cli.output import (
    human_time,
    print_facts,
    print_json,
    print_line,
)
from corral.farm.entrypoints.cli.task_arguments import (
    ArgumentsArgument,
    KindArgument,
    read_arguments,
)

if TYPE_CHECKING:
    from corral.farm.application.list_tasks import TaskDetails, TaskView
    from corral.farm.application.verbs import Application
    from corral.farm.domain.task.task import Task

commands = command_group("Tasks: what takes longer than a moment, in the terminal or by workers.")

NumberArgument = Annotated[int, typer.Argument(help="Number of the task.", metavar="NUMBER", min=1)]

_EVERY_ENDED: Final = 100_000
_COLUMNS: Final = (">TASK", "KIND", "OBJECT", "STATE", ">DONE", ">LEFT", "OWNER", "WHERE", "NOTE")


@commands.command("list", epilog="Example: corral task list --filter state=running")
def list_tasks(  # noqa: PLR0913 - one for each option of the command
    context: typer.Context,
    *,
    every: Annotated[
        bool, typer.Option("--all", help="All that ended, not the last 20.", show_default=False)
    ] = False,
    filters: FilterOption = None,
    sort: SortOption = None,
    limit: LimitOption = None,
    after: AfterOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """List every active task, whatever its age, and the last ones that ended.

    Keys are number, kind, object, state, owner, server, worker, schedule, active (yes or no).
    """
    from corral.farm.application.list_tasks import ENDED_SHOWN, TASKS  # noqa: PLC0415

    wish = wish_of(filters, sort, limit, after)
    ended = _EVERY_ENDED if every else ENDED_SHOWN
    page = page_of(opening.opened(context, farm).list_tasks(ended=ended), TASKS, wish)
    if as_json:
        print_page_json(page, wish, task_documents.task_view)
        return
    print_page(page, wish, _COLUMNS, task_row, empty="no tasks")


def task_row(view: "TaskView") -> tuple[str, ...]:
    """Give a task's line."""
    task = view.task
    failure = task.failure
    wish = f", to {task.wish}" if task.wish else ""
    return (
        str(task.number),
        task.request.kind.value,
        task.request.object,
        f"{task.state}{wish}",
        task_amounts.done(task),
        task_amounts.left(task),
        task.request.owner.name or task.request.owner.kind.value,
        task.worker if task.state == "running" else (task.request.server or "anywhere"),
        view.waiting or (failure.message if failure else task.result),
    )


@commands.command("show", epilog="Example: corral task show 12")
def show_task(
    context: typer.Context,
    number: NumberArgument,
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a task: what it is, how far it is, its log, and why it failed."""
    from corral.farm.domain.task.number import TaskNumber  # noqa: PLC0415 - not for `--help`

    details = opening.opened(context, farm).show_task(TaskNumber(number))
    if as_json:
        print_json(task_documents.task_details(details))
    else:
        _print_details(details)


def _print_details(details: "TaskDetails") -> None:
    task = details.view.task
    arguments = ", ".join(
        f"{name}={' '.join(value) if isinstance(value, tuple) else value}"
        for name, value in task.request.arguments.items()
    )
    failure = task.failure
    facts = (
        ("task", f"{task.number}, run {task.run}"),
        ("what", f"{task.request.kind} {task.request.object}"),
        ("with", arguments),
        ("state", f"{task.state}{f', to {task.wish}' if task.wish else ''}"),
        ("waits", details.view.waiting),
        ("owner", str(task.request.owner)),
        ("schedule", task.request.schedule or ""),
        ("server", task.request.server or "any"),
        ("worker", task.worker),
        ("asked for", human_time(task.created_at)),
        ("began", human_time(task.started_at)),
        ("ended", "" if task.ended_at is None else human_time(task.ended_at)),
        ("done", f"{task_amounts.done(task)}, {task_amounts.left(task)} left"),
        ("result", task.result),
        ("failed", "" if failure is None else f"{failure.message} (code: {failure.code})"),
        ("possible", ", ".join(details.possible)),
        ("cancelling", details.cancel_leaves if "cancel" in details.possible else ""),
    )
    print_facts([fact for fact in facts if fact[1]])
    print_line("")
    for line in details.log:
        print_line(f"{human_time(line.at)}  {line.text}")


@commands.command("start", epilog="Example: corral task start verify server=s1")
def start_task(
    context: typer.Context,
    kind: KindArgument,
    arguments: ArgumentsArgument = None,
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Queue a task for a worker, with arguments such as server=s1."""
    application = opening.opened(context, farm)
    task = application.start_task(kind, read_arguments(arguments))
    print_queued(application, task, as_json=as_json)


def print_queued(application: "Application", task: "Task", *, as_json: bool) -> None:
    """Tell of a task that a worker is to run."""
    details = application.show_task(task.number)
    if as_json:
        print_json(task_documents.task_details(details))
        return
    print_line(f"task {task.number} is queued: 'corral task watch {task.number}' follows it")
    if details.view.waiting:
        print_line(f"it waits: {details.view.waiting}")


@commands.command("cancel", epilog="Example: corral task cancel 12")
def cancel_task(
    context: typer.Context,
    number: NumberArgument,
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Cancel a task, and say what is left of what it has done."""
    from corral.farm.domain.task.number import TaskNumber  # noqa: PLC0415 - not for `--help`

    application = opening.opened(context, farm)
    application.cancel_task(TaskNumber(number))
    _print_asked(application, number, as_json=as_json)


@commands.command("pause", epilog="Example: corral task pause 12")
def pause_task(
    context: typer.Context,
    number: NumberArgument,
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Pause a task until it is resumed; what it has done is kept."""
    from corral.farm.domain.task.number import TaskNumber  # noqa: PLC0415 - not for `--help`

    application = opening.opened(context, farm)
    application.pause_task(TaskNumber(number))
    _print_asked(application, number, as_json=as_json)


@commands.command("resume", epilog="Example: corral task resume 12")
def resume_task(
    context: typer.Context,
    number: NumberArgument,
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Queue a paused task again; it goes on from what it has done."""
    from corral.farm.domain.task.number import TaskNumber  # noqa: PLC0415 - not for `--help`

    application = opening.opened(context, farm)
    application.resume_task(TaskNumber(number))
    _print_asked(application, number, as_json=as_json)


@commands.command("retry", epilog="Example: corral task retry 12")
def retry_task(
    context: typer.Context,
    number: NumberArgument,
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Queue a task again that failed or was cancelled."""
    from corral.farm.domain.task.number import TaskNumber  # noqa: PLC0415 - not for `--help`

    application = opening.opened(context, farm)
    application.retry_task(TaskNumber(number))
    _print_asked(application, number, as_json=as_json)


def _print_asked(application: "Application", number: int, *, as_json: bool) -> None:
    """Tell what became of a wish; a worker that runs the task hears of it within a second."""
    from corral.farm.domain.task.number import TaskNumber  # noqa: PLC0415 - not for `--help`

    details = application.show_task(TaskNumber(number))
    if as_json:
        print_json(task_documents.task_details(details))
        return
    task = details.view.task
    if task.wish:
        print_line(f"task {number} is told to {task.wish}; {task.worker} hears of it in a moment")
    else:
        print_line(f"task {number} is {task.state}")
    if task.state == "cancelled" or task.wish == "cancel":
        print_line(f"what is left: {details.cancel_leaves}")
    elif details.goes_on and (task.state == "paused" or task.wish == "pause"):
        print_line(f"what goes on: {details.goes_on}")


@commands.command("watch", epilog="Example: corral task watch 12")
def watch_task(
    context: typer.Context,
    number: Annotated[
        int | None,
        typer.Argument(help="Number of the task; without it all active ones.", metavar="NUMBER"),
    ] = None,
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Follow a task to its end, or all active ones until there is none left."""
    from corral.farm.domain.task.number import TaskNumber  # noqa: PLC0415 - not for `--help`
    from corral.farm.entrypoints.cli.watching import follow_all, follow_one  # noqa: PLC0415

    application = opening.opened(context, farm)
    if number is None:
        follow_all(application, _COLUMNS, task_row, is_quiet=as_json)
        return
    details = follow_one(application, TaskNumber(number), is_quiet=as_json)
    if as_json:
        print_json(task_documents.task_details(details))
    else:
        _print_details(details)
    if details.view.task.state != "done":
        raise typer.Exit(1)
