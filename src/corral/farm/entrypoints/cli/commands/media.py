"""``corral media``."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from corral.farm.entrypoints.cli import completion, documents, opening
from corral.farm.entrypoints.cli.commands.image import version_named
from corral.farm.entrypoints.cli.group import command_group
from corral.farm.entrypoints.cli.opening import FarmOption, JsonOption
from corral.farm.entrypoints.cli.output import human_size, print_json, print_line, print_table

if TYPE_CHECKING:
    from corral.farm.application.seed_medium import Medium
    from corral.farm.application.verbs import Application
    from corral.farm.domain.image.version import VersionName

commands = command_group("Media that are carried to computers, with versions on them.")

FolderArgument = Annotated[
    Path,
    typer.Argument(
        help="Where the medium is mounted.", metavar="FOLDER", exists=True, file_okay=False
    ),
]


@commands.command("seed", epilog="Example: corral media seed /media/stick debian/2 --kit engine")
def seed(  # noqa: PLR0913 - one for each option of the command
    context: typer.Context,
    folder: FolderArgument,
    versions: Annotated[
        list[str] | None,
        typer.Argument(
            help="IMAGE/NUMBER, or IMAGE for its newest.",
            metavar="VERSION...",
            autocompletion=completion.versions,
            show_default=False,
        ),
    ] = None,
    *,
    kits: Annotated[
        list[str] | None,
        typer.Option(
            "--kit", help="A kit of the library, too.", metavar="NAME", show_default=False
        ),
    ] = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put versions on a medium, so that engines take them from there and not over their line.

    What is on it already is not copied again. An engine finds a medium by itself when it is
    mounted, and believes nothing on it that the farm has not signed.
    """
    from corral.farm.entrypoints.cli.work import run_shown  # noqa: PLC0415 - not for `--help`

    application = opening.opened(context, farm)
    names = [version_named(application, text) for text in versions or ()]
    names += [_kit_named(application, text) for text in kits or ()]
    if not names:
        message = "name at least one version or --kit"
        raise typer.BadParameter(message)
    for name in names:
        application.show_version(name)
    for name in names:
        copy = partial(application.seed_medium, folder.absolute(), name)
        run_shown(f"seed {name}", copy, is_quiet=as_json)
    _show(folder, application.list_medium(folder.absolute()), as_json=as_json)


@commands.command("list", epilog="Example: corral media list /media/stick")
def list_versions(
    context: typer.Context,
    folder: FolderArgument,
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the farm's versions that are on a medium in full."""
    application = opening.opened(context, farm)
    _show(folder, application.list_medium(folder.absolute()), as_json=as_json)


def _kit_named(application: "Application", text: str) -> "VersionName":
    from corral.farm.domain.library.item import item_name  # noqa: PLC0415 - not for `--help`

    item = application.show_library_item(item_name(text)).item
    item.demand_available()
    return cast("VersionName", item.version)  # an available one has become a version


def _show(folder: Path, medium: "Medium", *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "folder": str(folder),
                "versions": [documents.version(one) for one in medium.versions],
                "free_bytes": medium.free_bytes,
            }
        )
        return
    print_table(
        f"On {folder}",
        ("VERSION", "SIZE", "ROOT"),
        (
            (str(one.name), human_size(one.size_bytes), one.root.short)
            for one in sorted(medium.versions, key=lambda one: str(one.name))
        ),
        empty=f"no version of this farm is on {folder}: corral media seed",
    )
    print_line(f"{human_size(medium.free_bytes)} are free on it")
