"""Which farm a command works on, and how its answers are shown."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from corral.farm.application.verbs import Application
    from corral.farm.settings import FarmSettings

    Opener: TypeAlias = Callable[[FarmSettings], Application]

FarmOption = Annotated[
    Path | None,
    typer.Option(
        "--farm",
        metavar="DIR",
        help="Folder of the farm; CORRAL_FARM says it for all commands.",
        file_okay=False,
        show_default=False,
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print JSON, for programs.", show_default=False)
]


@dataclass
class Root:
    """What was said before the name of the command, and how farms are opened.

    Tests give one of their own as the context's object.
    """

    farm: Path | None = None
    opener: Opener | None = None
    creator: Opener | None = None


def settings_of(context: typer.Context, farm: Path | None) -> FarmSettings:
    """Read the settings for the folder that was named behind or before the command."""
    from corral.farm.settings import FarmSettings  # noqa: PLC0415 - not for `--help`

    root = _root(context)
    return FarmSettings.read(farm or root.farm, os.environ)


def opened(context: typer.Context, farm: Path | None) -> Application:
    """Open the farm."""
    settings = settings_of(context, farm)
    opener = _root(context).opener
    if opener is not None:
        return opener(settings)
    from corral.farm.bootstrap import open_console  # noqa: PLC0415 - not for `--help`

    return open_console(settings)


def opened_schema(context: typer.Context, farm: Path | None) -> Application:
    """Open the database's schema, whether this release can work on it or not."""
    settings = settings_of(context, farm)
    opener = _root(context).opener
    if opener is not None:
        return opener(settings)
    from corral.farm.bootstrap import open_schema  # noqa: PLC0415 - not for `--help`

    return open_schema(settings)


def created(context: typer.Context, farm: Path | None, database: str | None) -> Application:
    """Make room for a new farm, with its records in its folder or in another database."""
    settings = settings_of(context, farm)
    if database is not None:
        settings = settings.with_database(database)
    creator = _root(context).creator
    if creator is not None:
        return creator(settings)
    from corral.farm.bootstrap import new_farm  # noqa: PLC0415 - not for `--help`

    return new_farm(settings)


def _root(context: typer.Context) -> Root:
    found = context.find_object(Root)
    return Root() if found is None else found
