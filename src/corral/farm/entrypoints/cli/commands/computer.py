"""``corral computer``: look at computers."""

from typing import TYPE_CHECKING, Annotated

import typer

from corral.farm.entrypoints.cli import completion, opening, user_documents
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
    human_size,
    human_time,
    print_facts,
    print_json,
    print_table,
)

if TYPE_CHECKING:
    from corral.farm.application.list_computers import ComputerView

commands = command_group("Computers: machines that run the engine and keep images locally.")

ComputerArgument = Annotated[
    str,
    typer.Argument(
        help="Name of the computer.", metavar="COMPUTER", autocompletion=completion.computers
    ),
]


@commands.command("list", epilog="Example: corral computer list --filter state=waiting")
def list_computers(  # noqa: PLR0913 - one for each option of the command
    context: typer.Context,
    *,
    filters: FilterOption = None,
    sort: SortOption = None,
    limit: LimitOption = None,
    after: AfterOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the computers with who uses them and when they were last heard of.

    Keys are name, state, user, collection, site, engine, paused, description, last-check-in, free,
    asked, registered.
    """
    from corral.farm.application.list_computers import COMPUTERS  # noqa: PLC0415

    wish = wish_of(filters, sort, limit, after)
    page = page_of(opening.opened(context, farm).list_computers(), COMPUTERS, wish)
    if as_json:
        print_page_json(page, wish, user_documents.computer)
        return
    print_page(
        page,
        wish,
        ("COMPUTER", "STATE", "USERS", "COLLECTION", "ENGINE", "LAST CHECK-IN", "DESCRIPTION"),
        _row,
        empty="no computers yet: corral computer code",
    )


def _row(view: "ComputerView") -> tuple[str, ...]:
    of, said = view.computer, view.said
    return (
        of.name,
        state_of(view),
        " ".join(view.users) or (f"({of.asked_for}?)" if of.asked_for else ""),
        view.collection.name,
        "" if said is None else said.engine.release,
        human_time(None if said is None else said.at),
        of.description,
    )


def state_of(view: "ComputerView") -> str:
    """Say how a computer stands, and whether it has heard of that."""
    of = view.computer
    if of.erases:
        told = of.kill_told_at
        return f"kill-pending: {'not told yet' if told is None else f'told {human_time(told)}'}"
    return f"{of.state.value} (paused)" if of.is_paused else of.state.value


@commands.command("show", epilog="Example: corral computer show laptop")
def show_computer(
    context: typer.Context,
    name: ComputerArgument,
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a computer."""
    from corral.farm.domain.computer.computer import computer_name  # noqa: PLC0415

    view = opening.opened(context, farm).show_computer(computer_name(name))
    if as_json:
        print_json(user_documents.computer(view))
        return
    of = view.computer
    print_facts(
        [
            ("computer", of.name),
            ("id", str(of.id)),
            ("state", state_of(view)),
            ("users", " ".join(view.users) or "none: corral computer change --add-user"),
            *((("asked for", of.asked_for),) if of.asked_for else ()),
            ("collection", f"{view.collection.name}, in site {view.site.name}"),
            ("description", of.description),
            ("fetches", "nothing: paused" if of.is_paused else _line(view)),
            ("asked", human_time(of.asked_at)),
            ("registered", human_time(of.registered_at)),
            *((("erased itself", human_time(of.killed_at)),) if of.killed_at else ()),
            *_said(view),
            ("revision", str(of.revision)),
        ]
    )


def _line(view: "ComputerView") -> str:
    line = view.computer.bandwidth
    said = "without a limit" if line.rate is None else f"{human_size(line.rate)}/s"
    windows = [f"{one}: {human_size(one.rate)}/s" for one in line.windows]
    return "; ".join([said, *windows])


def _said(view: "ComputerView") -> list[tuple[str, str]]:
    said, given = view.said, view.given
    if said is None:
        return [("last check-in", "never")]
    engine = said.engine
    disk = f"{human_size(engine.disk_free_bytes)} of {human_size(engine.disk_bytes)} free"
    orders = "none yet" if given is None else f"{given.generation}, heard {said.generation}"
    return [
        ("last check-in", f"{human_time(said.at)} from {said.address or '-'}"),
        ("engine", f"{engine.release} on {engine.architecture}, by {engine.accelerator}"),
        ("its releases", ": ".join(filter(None, (said.kit.state.value, said.kit.problem)))),
        ("memory, disk", f"{human_size(engine.memory_bytes)}, {disk}"),
        ("orders", orders),
    ]


@commands.command("images", epilog="Example: corral computer images laptop")
def list_computer_images(  # noqa: PLR0913
    context: typer.Context,
    name: ComputerArgument,
    *,
    filters: FilterOption = None,
    sort: SortOption = None,
    limit: LimitOption = None,
    after: AfterOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what should run on a computer, what does, and why they differ.

    Keys are image, user, computer, staged, mode, running, assigned, why, state.
    """
    from corral.farm.application.list_machines import MACHINES  # noqa: PLC0415
    from corral.farm.domain.computer.computer import computer_name  # noqa: PLC0415
    from corral.farm.entrypoints.cli.whys import machine_row  # noqa: PLC0415

    wish = wish_of(filters, sort, limit, after)
    views = opening.opened(context, farm).list_computer_images(computer_name(name))
    page = page_of(views, MACHINES, wish)
    if as_json:
        print_page_json(page, wish, user_documents.machine)
    else:
        print_page(
            page,
            wish,
            ("IMAGE", "USER", "COMPUTER", "STAGED", "RUNNING VERSION", "ASSIGNED VERSION", "WHY"),
            machine_row,
            empty="nothing should run there: corral image assign",
        )


@commands.command("events", epilog="Example: corral computer events laptop")
def list_computer_events(
    context: typer.Context,
    name: ComputerArgument,
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell what happened on a computer as it told it, the newest first, by its own clock."""
    from corral.farm.domain.computer.computer import computer_name  # noqa: PLC0415

    found = opening.opened(context, farm).list_computer_events(computer_name(name))
    if as_json:
        print_json([user_documents.event(one) for one in found])
        return
    print_table(
        "",
        ("WHEN", "SEVERITY", "IMAGE", "CODE", "WHAT"),
        (
            (human_time(one.at), one.severity.value, one.image or "-", one.code, one.text)
            for one in found
        ),
        empty="it has told of nothing",
    )
