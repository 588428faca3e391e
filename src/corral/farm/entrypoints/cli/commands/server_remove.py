"""``corral server remove``."""

from typing import TYPE_CHECKING, Annotated

import typer

from corral.farm.entrypoints.cli import estate_documents, opening
from corral.farm.entrypoints.cli.commands.server import ServerArgument
from corral.farm.entrypoints.cli.edits import RevisionOption
from corral.farm.entrypoints.cli.opening import FarmOption, JsonOption
from corral.farm.entrypoints.cli.output import print_json, print_line

if TYPE_CHECKING:
    from corral.farm.application.remove_server import ServerRemoval

commands = typer.Typer()
"""They stand among those of :mod:`.server`."""


@commands.command("remove", epilog="Example: corral server remove s1")
def remove_server(  # noqa: PLR0913
    context: typer.Context,
    name: ServerArgument,
    *,
    lost: Annotated[
        bool,
        typer.Option(
            "--lost",
            help="It is silent, and its disk is gone for ever: what was on it alone is lost.",
            show_default=False,
        ),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Only say what would go.", show_default=False),
    ] = False,
    revision: RevisionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove a server that nobody needs; its folder is left as it is.

    Refused while devices stream from it or have no other place, and while a published version or
    what a device wrote is on it alone.
    """
    from corral.farm.domain.estate.server import server_name  # noqa: PLC0415 - not for `--help`

    verb = opening.opened(context, farm).remove_server
    if dry_run:
        removal = verb.plan(server_name(name), is_lost=lost)
    else:
        removal = verb(server_name(name), revision, is_lost=lost)
    if as_json:
        print_json(estate_documents.server_removal(removal))
    else:
        _show(removal)


def _show(removal: "ServerRemoval") -> None:
    server = removal.server
    goes = "went" if removal.is_done else "would go"
    for what, things in (
        ("copies that are elsewhere too", removal.copies),
        ("disks that are on no other server", removal.disks),
        ("versions that waited for it to be deleted", removal.deleted),
        ("tasks, cancelled", removal.tasks),
        ("schedules", removal.schedules),
    ):
        if things:
            print_line(f"{goes}: {what}: {', '.join(map(str, things))}")
    if not removal.is_done:
        print_line(f"server {server.name} can be removed")
        return
    print_line(f"server {server.name} is removed")
    if not removal.is_lost:
        print_line(f"its folder {server.store.path} is left as it is: delete it when you like")
