"""``corral schedule``."""

from typing import TYPE_CHECKING, Annotated

import typer

from corral.farm.entrypoints.cli import opening, task_documents
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
from corral.farm.entrypoints.cli.output import human_time, print_json, print_line
from corral.farm.entrypoints.cli.task_arguments import (
    ArgumentsArgument,
    KindArgument,
    read_arguments,
)

if TYPE_CHECKING:
    from corral.farm.application.schedule_tasks import ScheduleView

commands = command_group("Schedules: tasks that begin by the clock.")

NameArgument = Annotated[str, typer.Argument(help="Name of the schedule.", metavar="NAME")]


@commands.command(
    "add", epilog="Example: corral schedule add nightly --at '30 2 * * *' verify server=s1"
)
def add_schedule(  # noqa: PLR0913 - one for each option of the command
    context: typer.Context,
    name: NameArgument,
    kind: KindArgument,
    arguments: ArgumentsArgument = None,
    *,
    at: Annotated[
        str,
        typer.Option(
            "--at",
            metavar="TIMES",
            help="Minute, hour, day of the month, month, day of the week, as in cron.",
        ),
    ],
    timezone: Annotated[
        str, typer.Option("--timezone", metavar="ZONE", help="Whose clock it is.")
    ] = "UTC",
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have a task begin by the clock; a run that is still under way is not begun again."""
    from corral.farm.domain.task.schedule import Times, schedule_name  # noqa: PLC0415

    application = opening.opened(context, farm)
    schedule = application.add_schedule(
        schedule_name(name), Times(at, timezone), kind, read_arguments(arguments)
    )
    if as_json:
        views = application.list_schedules()
        [view] = [view for view in views if view.schedule.name == schedule.name]
        print_json(task_documents.schedule_view(view))
    else:
        print_line(f"schedule {schedule.name} is there; 'corral serve worker' begins its runs")


@commands.command("list", epilog="Example: corral schedule list")
def list_schedules(  # noqa: PLR0913
    context: typer.Context,
    *,
    filters: FilterOption = None,
    sort: SortOption = None,
    limit: LimitOption = None,
    after: AfterOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the schedules; keys are name, kind, object, owner, server."""
    from corral.farm.application.schedule_tasks import SCHEDULES  # noqa: PLC0415

    wish = wish_of(filters, sort, limit, after)
    page = page_of(opening.opened(context, farm).list_schedules(), SCHEDULES, wish)
    if as_json:
        print_page_json(page, wish, task_documents.schedule_view)
        return
    print_page(
        page,
        wish,
        ("SCHEDULE", "TIMES", "KIND", "OBJECT", "OWNER", "LAST", "RUN"),
        _row,
        empty="no schedules",
    )


def _row(view: "ScheduleView") -> tuple[str, ...]:
    schedule = view.schedule
    return (
        schedule.name,
        f"{schedule.times.cron} {schedule.times.timezone}",
        schedule.request.kind.value,
        schedule.request.object,
        schedule.request.owner.name or schedule.request.owner.kind.value,
        human_time(schedule.last_run_at),
        "-" if view.run is None else f"task {view.run.number}, {view.run.state}",
    )


@commands.command("remove", epilog="Example: corral schedule remove nightly")
def remove_schedule(
    context: typer.Context,
    name: NameArgument,
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove a schedule; a run that is under way goes on."""
    from corral.farm.domain.task.schedule import schedule_name  # noqa: PLC0415

    schedule = opening.opened(context, farm).remove_schedule(schedule_name(name))
    if as_json:
        print_json({"removed": schedule.name})
    else:
        print_line(f"schedule {schedule.name} is removed")


@commands.command("cancel-run", epilog="Example: corral schedule cancel-run nightly")
def cancel_run(
    context: typer.Context,
    name: NameArgument,
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Cancel the run that is under way; the schedule stays, and its next run begins in time."""
    from corral.farm.domain.task.schedule import schedule_name  # noqa: PLC0415

    application = opening.opened(context, farm)
    task = application.cancel_scheduled_run(schedule_name(name))
    details = application.show_task(task.number)
    if as_json:
        print_json(task_documents.task_details(details))
        return
    print_line(f"task {task.number} is cancelled; {name} goes on with its next run")
    print_line(f"what is left: {details.cancel_leaves}")
