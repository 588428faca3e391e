"""A group of commands that shows its help when it is called alone."""

from __future__ import annotations

from typing import Annotated

import typer


def command_group(help_text: str) -> typer.Typer:
    """Make the commands of one noun."""
    group = typer.Typer(
        help=help_text,
        rich_markup_mode="rich",
        invoke_without_command=True,
        add_completion=False,
    )

    @group.callback()
    def show_help(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            typer.echo(context.get_help())

    return group


DebugOption = Annotated[
    bool,
    typer.Option(
        "--debug", help="Show the traceback of an error; CORRAL_DEBUG=1 does, too.", hidden=False
    ),
]
