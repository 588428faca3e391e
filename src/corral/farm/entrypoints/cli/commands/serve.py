"""``corral serve``: become one of the farm's long-lived processes.

Entry points do not import one another, so they are named here by their modules, and loaded
only when they are asked for. Each is a program of its own (``python -m MODULE``), whose ``main``
takes its arguments and gives its exit code once it was told to stop.
"""

from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Annotated, Final

import typer

from corral.farm.entrypoints.cli import opening
from corral.farm.entrypoints.cli.group import command_group
from corral.farm.entrypoints.cli.opening import FarmOption, JsonOption

commands = command_group("Long-lived processes of the farm.")

_API: Final = "corral.farm.entrypoints.http.__main__"
_STREAM: Final = "corral.farm.entrypoints.stream.__main__"
_WORKER: Final = "corral.farm.entrypoints.worker.__main__"


class LogFormat(StrEnum):
    """How the process writes its log."""

    TEXT = "text"
    JSON = "json"


LogFormatOption = Annotated[
    LogFormat, typer.Option("--log-format", help="Log for people or for programs.")
]


@commands.command("api", epilog="Example: corral serve api --listen 127.0.0.1:10800")
def serve_api(
    context: typer.Context,
    *,
    listen: Annotated[
        str, typer.Option("--listen", metavar="ADDRESS", help="Where it listens.")
    ] = "127.0.0.1:10800",
    log_format: LogFormatOption = LogFormat.TEXT,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Serve the API that servers and devices talk to, until told to stop."""
    folder = opening.settings_of(context, farm).folder
    chosen = LogFormat.JSON if as_json else log_format
    _become(_API, ["--farm", str(folder), "--listen", listen, "--log-format", chosen])


@commands.command("stream", epilog="Example: corral serve stream --config FARM/servers/s1.json")
def serve_stream(
    *,
    config: Annotated[
        Path,
        typer.Option("--config", metavar="FILE", help="The file that 'corral server add' wrote."),
    ],
    log_format: LogFormatOption = LogFormat.TEXT,
    as_json: JsonOption = False,
) -> None:
    """Stream to devices as one of the farm's servers, until told to stop."""
    chosen = LogFormat.JSON if as_json else log_format
    _become(_STREAM, ["--config", str(config.absolute()), "--log-format", chosen])


@commands.command("worker", epilog="Example: corral serve worker --server s1")
def serve_worker(
    context: typer.Context,
    *,
    server: Annotated[
        list[str] | None,
        typer.Option(
            "--server",
            metavar="SERVER",
            help="Whose store this machine reaches; several.",
            show_default="all",
        ),
    ] = None,
    log_format: LogFormatOption = LogFormat.TEXT,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run tasks, until told to stop; what is not done then goes on elsewhere."""
    folder = opening.settings_of(context, farm).folder
    chosen = LogFormat.JSON if as_json else log_format
    servers = [word for name in server or () for word in ("--server", name)]
    _become(_WORKER, ["--farm", str(folder), "--log-format", chosen, *servers])


def _become(module: str, arguments: list[str]) -> None:
    code = import_module(module).main(arguments)
    raise typer.Exit(code or 0)
