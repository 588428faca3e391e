"""``corral serve``: become one of the farm's long-lived processes.

Entry points do not import one another. Two of them are named here by their addresses, and loaded
only when they are asked for:

- ``corral.farm.entrypoints.http.main:serve(settings: FarmSettings, listen: Address) -> None``
- ``corral.farm.entrypoints.stream.main:serve(config: Path) -> None``

Each returns when it was told to stop by a signal.
"""

from importlib import import_module
from pathlib import Path
from typing import Annotated, Final

import typer

from corral.farm.entrypoints.cli import opening
from corral.farm.entrypoints.cli.group import command_group
from corral.farm.entrypoints.cli.opening import FarmOption, JsonOption

commands = command_group("Long-lived processes of the farm.")

_API: Final = "corral.farm.entrypoints.http.main"
_STREAM: Final = "corral.farm.entrypoints.stream.main"


@commands.command("api", epilog="Example: corral serve api --listen 127.0.0.1:10800")
def serve_api(
    context: typer.Context,
    *,
    listen: Annotated[
        str, typer.Option("--listen", metavar="ADDRESS", help="Where it listens.")
    ] = "127.0.0.1:10800",
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Serve the API that servers and devices talk to, until told to stop."""
    del as_json  # only errors are printed, and the root command formats those
    from corral.farm.domain.estate.address import Address  # noqa: PLC0415 - not for `--help`

    address = Address.parse(listen)
    opening.opened(context, farm)  # a missing farm is said before anything is loaded
    import_module(_API).serve(opening.settings_of(context, farm), address)


@commands.command(
    "stream", epilog="Example: corral serve stream --config /srv/farm/servers/s1.json"
)
def serve_stream(
    *,
    config: Annotated[
        Path,
        typer.Option("--config", metavar="FILE", help="The file that 'corral server add' wrote."),
    ],
    as_json: JsonOption = False,
) -> None:
    """Stream to devices as one of the farm's servers, until told to stop."""
    del as_json  # only errors are printed, and the root command formats those
    import_module(_STREAM).serve(config.absolute())
