"""``corral image republish``."""

from typing import TYPE_CHECKING, Annotated

import typer

from corral.farm.entrypoints.cli import completion, documents, opening
from corral.farm.entrypoints.cli.failures import ExitCode
from corral.farm.entrypoints.cli.opening import FarmOption, JsonOption
from corral.farm.entrypoints.cli.output import print_json, print_line, print_table

# The enum is small and pure; Typer needs it to offer and check the words.
from corral.farm.domain.image.version import Access  # isort: skip

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corral.farm.application.republish_images import Republished, ToRepublish

commands = typer.Typer()


@commands.command("republish", epilog="Example: corral image republish --dry-run")
def republish_images(  # noqa: PLR0913 - one for each option of the command
    context: typer.Context,
    images: Annotated[
        list[str] | None,
        typer.Argument(
            help="Names of images; all that are marked if none is named.",
            metavar="[IMAGE]...",
            autocompletion=completion.images,
            show_default=False,
        ),
    ] = None,
    *,
    to: Annotated[
        Access, typer.Option("--to", help="Who may start the new version.")
    ] = Access.TEST,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Only show which images are marked, and why.", show_default=False
        ),
    ] = False,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Publish images anew with the guest tools in force: those marked "republish needed".

    A task for each starts the image's guest on the server that holds it, has the guest install the
    tools, and publishes its disk: for those only that are staged, unless --to says otherwise.
    """
    from corral.farm.domain.image.image import image_name  # noqa: PLC0415 - not for `--help`

    application = opening.opened(context, farm)
    names = [image_name(one) for one in images or ()]
    if dry_run:
        _print_marked(application.list_to_republish(names), as_json=as_json)
        return
    republished = application.republish_images(names, to)
    _print_republished(republished, as_json=as_json)
    if any(one.task is None for one in republished):
        raise typer.Exit(ExitCode.REFUSED)


def _print_marked(marked: "Sequence[ToRepublish]", *, as_json: bool) -> None:
    if as_json:
        print_json([documents.to_republish(one) for one in marked])
        return
    print_table(
        "Republish needed",
        ("IMAGE", "NEWEST", "GUEST TOOLS", "IN FORCE", "NOT NOW, BECAUSE"),
        ((*_words(one), "" if one.problem is None else one.problem.message) for one in marked),
        empty="no image has to be republished",
    )


def _print_republished(republished: "Sequence[Republished]", *, as_json: bool) -> None:
    if as_json:
        print_json([documents.republished(one) for one in republished])
        return
    print_table(
        "Republished",
        ("IMAGE", "NEWEST", "GUEST TOOLS", "IN FORCE", "TASK"),
        (
            (*_words(one.marked), "not now" if one.task is None else str(one.task.number))
            for one in republished
        ),
        empty="no image has to be republished",
    )
    for one in republished:
        if one.marked.problem is not None:
            print_line(f"not now: {one.marked.problem.message}")
    if any(one.task is not None for one in republished):
        print_line("'corral task watch TASK' follows a task")


def _words(marked: "ToRepublish") -> tuple[str, str, str, str]:
    older = marked.older
    return marked.image.name, str(older.version), str(older.inside), str(older.newer)
