"""``corral computer change``, ``retry``, ``kill``, ``kill-undo``, ``recycle`` and ``delete``."""

from typing import TYPE_CHECKING, Annotated

import typer

from corral.farm.entrypoints.cli import completion, opening, user_documents
from corral.farm.entrypoints.cli.commands.computer import ComputerArgument
from corral.farm.entrypoints.cli.commands.device import CollectionOption
from corral.farm.entrypoints.cli.commands.image_users import UsersOption
from corral.farm.entrypoints.cli.commands.user import ImageArgument
from corral.farm.entrypoints.cli.edits import NONE, DescriptionOption, RevisionOption, edit
from corral.farm.entrypoints.cli.opening import FarmOption, JsonOption
from corral.farm.entrypoints.cli.output import print_json, print_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from corral.farm.application.edits import Edit
    from corral.farm.application.verbs import Application
    from corral.farm.domain.computer.computer import Computer, ComputerName
    from corral.farm.domain.estate.replication import Bandwidth

commands = typer.Typer()


@commands.command(
    "change", epilog="Example: corral computer change laptop --rate 2M --window 18:00-06:00=20M"
)
def change_computer(  # noqa: PLR0913 - one for each option of the command
    context: typer.Context,
    name: ComputerArgument,
    *,
    collection: CollectionOption = None,
    description: DescriptionOption = None,
    paused: Annotated[
        bool | None,
        typer.Option(
            "--pause/--resume", help="Whether it fetches anything for now.", show_default=False
        ),
    ] = None,
    rate: Annotated[
        str | None,
        typer.Option(
            "--rate",
            metavar="BYTES",
            help="Bytes a second that fetching may take, such as 2M; 'none' for no limit.",
            show_default=False,
        ),
    ] = None,
    window: Annotated[
        list[str] | None,
        typer.Option(
            "--window",
            metavar="FROM-UNTIL=BYTES",
            help="A time of each day, by its own clock, with its own rate; several.",
            show_default=False,
        ),
    ] = None,
    add_user: Annotated[
        list[str] | None,
        typer.Option(
            "--add-user",
            metavar="USER",
            help="Who uses it, too; several.",
            autocompletion=completion.users,
            show_default=False,
        ),
    ] = None,
    drop_user: Annotated[
        list[str] | None,
        typer.Option(
            "--drop-user",
            metavar="USER",
            help="Who uses it no more: what they keep there goes.",
            show_default=False,
        ),
    ] = None,
    revision: RevisionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change where a computer belongs, who uses it, and how it may fetch."""
    from corral.farm.application.change_computer import ComputerEdit  # noqa: PLC0415
    from corral.farm.application.edits import KEEP  # noqa: PLC0415 - not for `--help`
    from corral.farm.domain.computer.computer import computer_name  # noqa: PLC0415
    from corral.farm.domain.computer.user import user_name  # noqa: PLC0415
    from corral.farm.domain.estate.collection import collection_name  # noqa: PLC0415

    application = opening.opened(context, farm)
    wanted = ComputerEdit(
        collection=edit(collection, collection_name),
        description=edit(description, str),
        is_paused=KEEP if paused is None else paused,
        bandwidth=_bandwidth(rate, window),
        add_users=tuple(map(user_name, add_user or ())),
        drop_users=tuple(map(user_name, drop_user or ())),
    )
    changed = application.change_computer(computer_name(name), wanted, revision)
    _print(application, changed, "is as you said", as_json=as_json)


def _bandwidth(rate: str | None, windows: "Sequence[str] | None") -> "Edit[Bandwidth]":
    from corral.farm.application.edits import KEEP  # noqa: PLC0415
    from corral.farm.domain.estate.replication import (  # noqa: PLC0415
        Bandwidth,
        Window,
        bytes_a_second,
    )

    if rate is None and windows is None:
        return KEEP
    limit = None if rate in {None, NONE} else bytes_a_second(str(rate))
    return Bandwidth(limit, tuple(map(Window.parse, windows or ())))


@commands.command("retry", epilog="Example: corral computer retry laptop debian")
def retry_machine(  # noqa: PLR0913
    context: typer.Context,
    name: ComputerArgument,
    image: ImageArgument,
    *,
    user: UsersOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have a computer try again what failed or went back; without --user, for all who use it."""
    from corral.farm.domain.computer.computer import computer_name  # noqa: PLC0415
    from corral.farm.domain.computer.user import user_name  # noqa: PLC0415
    from corral.farm.domain.image.image import image_name  # noqa: PLC0415

    application = opening.opened(context, farm)
    changed = application.retry_machine(
        computer_name(name), image_name(image), tuple(map(user_name, user or ()))
    )
    _print(application, changed, f"tries {image} again when it checks in", as_json=as_json)


@commands.command("kill", epilog="Example: corral computer kill laptop")
def kill_computer(
    context: typer.Context,
    name: ComputerArgument,
    *,
    revision: RevisionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have a lost or stolen computer erase itself when it is next heard of.

    Its machines, its users' data and its keys go. Until it has been told, kill-undo takes it back.
    """
    _move(
        context,
        farm,
        lambda application, of: application.kill_computer(of, revision),
        name,
        f"erases itself when it is next heard of; until then: corral computer kill-undo {name}",
        as_json=as_json,
    )


@commands.command("kill-undo", epilog="Example: corral computer kill-undo laptop")
def undo_kill(
    context: typer.Context,
    name: ComputerArgument,
    *,
    revision: RevisionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a kill back, until the computer has been told."""
    _move(
        context,
        farm,
        lambda application, of: application.undo_kill(of, revision),
        name,
        "is registered as before",
        as_json=as_json,
    )


@commands.command("recycle", epilog="Example: corral computer recycle laptop")
def recycle_computer(
    context: typer.Context,
    name: ComputerArgument,
    *,
    revision: RevisionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a computer that has erased itself register anew; what was on it is gone."""
    _move(
        context,
        farm,
        lambda application, of: application.recycle_computer(of, revision),
        name,
        "may register anew",
        as_json=as_json,
    )


@commands.command("delete", epilog="Example: corral computer delete laptop")
def delete_computer(
    context: typer.Context,
    name: ComputerArgument,
    *,
    revision: RevisionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Forget a computer: nothing happens on it, and it is not listened to any more."""
    from corral.farm.domain.computer.computer import computer_name  # noqa: PLC0415

    deleted = opening.opened(context, farm).delete_computer(computer_name(name), revision)
    if as_json:
        print_json({"name": deleted.name, "deleted": True})
    else:
        print_line(f"computer {deleted.name} is forgotten")


def _move(  # noqa: PLR0913 - what all three have in common
    context: typer.Context,
    farm: FarmOption,
    move: "Callable[[Application, ComputerName], Computer]",
    name: str,
    then: str,
    *,
    as_json: bool,
) -> None:
    from corral.farm.domain.computer.computer import computer_name  # noqa: PLC0415

    application = opening.opened(context, farm)
    _print(application, move(application, computer_name(name)), then, as_json=as_json)


def _print(application: "Application", of: "Computer", then: str, *, as_json: bool) -> None:
    if as_json:
        print_json(user_documents.computer(application.show_computer(of.name)))
    else:
        print_line(f"computer {of.name} {then}")
