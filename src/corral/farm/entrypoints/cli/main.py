"""``corral``: the program."""

from typing import Annotated

import typer

from corral.farm.entrypoints.cli.opening import FarmOption, Root
from corral.farm.entrypoints.cli.root import CorralGroup

app = typer.Typer(
    name="corral",
    cls=CorralGroup,
    help="Keep a fleet of machines on golden disk images.",
    epilog="First steps: corral farm create home --farm DIR · then: corral server add --help",
    rich_markup_mode="rich",
    invoke_without_command=True,
    pretty_exceptions_enable=False,
)


def _print_version(*, is_wanted: bool) -> None:
    if is_wanted:
        from importlib.metadata import version  # noqa: PLC0415 - not for other commands

        typer.echo(f"corral {version('corral')}")
        raise typer.Exit


@app.callback()
def _begin(
    context: typer.Context,
    *,
    farm_folder: FarmOption = None,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error.", show_default=False)
    ] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Print the version.",
            show_default=False,
            is_eager=True,
            callback=lambda value: _print_version(is_wanted=value),
        ),
    ] = False,
) -> None:
    del debug, version  # read by the root command, before anything can go wrong
    root = context.find_object(Root) or Root()
    root.farm = farm_folder or root.farm
    context.obj = root
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def run() -> None:
    """Run the program."""
    app(prog_name="corral")
