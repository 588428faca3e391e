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
_SUPERVISOR: Final = "corral.farm.entrypoints.supervisor.__main__"
_WORKER: Final = "corral.farm.entrypoints.worker.__main__"


class LogFormat(StrEnum):
    """How the process writes its log."""

    TEXT = "text"
    JSON = "json"


LogFormatOption = Annotated[
    LogFormat, typer.Option("--log-format", help="Log for people or for programs.")
]


@commands.command("api", epilog="Example: corral serve api --listen 127.0.0.1:10800")
def serve_api(  # noqa: PLR0913 - one for each option
    context: typer.Context,
    *,
    listen: Annotated[
        str, typer.Option("--listen", metavar="ADDRESS", help="Where it listens.")
    ] = "127.0.0.1:10800",
    tls: Annotated[
        bool | None,
        typer.Option(
            "--tls/--plain",
            help="Speak TLS, or not: in the clear only before a proxy that does.",
            show_default="TLS unless it listens on loopback",
        ),
    ] = None,
    certificate: Annotated[
        Path | None,
        typer.Option(
            "--certificate",
            metavar="FILE",
            help="A certificate of your own in PEM, its issuers behind it.",
            show_default="one of the farm's",
        ),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(
            "--key", metavar="FILE", help="The private key of --certificate.", show_default=False
        ),
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option(
            "--name",
            metavar="HOST",
            help="What the API is also reached by, for the farm's certificate; several.",
            show_default="the hosts of the farm's API URLs",
        ),
    ] = None,
    log_format: LogFormatOption = LogFormat.TEXT,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Serve the API that servers and devices talk to, until told to stop.

    Where others can listen in, it speaks TLS with a certificate of the farm's, which it renews.
    """
    folder = opening.settings_of(context, farm).folder
    chosen = LogFormat.JSON if as_json else log_format
    words = ["--farm", str(folder), "--listen", listen, "--log-format", chosen]
    if tls is not None:
        words.append("--tls" if tls else "--plain")
    for option, file in (("--certificate", certificate), ("--key", key)):
        if file is not None:
            words += [option, str(file.absolute())]
    _become(_API, [*words, *(word for host in name or () for word in ("--name", host))])


@commands.command("stream", epilog="Example: corral serve stream --config FARM/servers/s1.json")
def serve_stream(
    *,
    config: Annotated[
        Path,
        typer.Option("--config", metavar="FILE", help="The file that 'corral server add' wrote."),
    ],
    tls: Annotated[
        bool | None,
        typer.Option(
            "--tls/--plain",
            help="Stream, and give chunks, under TLS only, or without: only where a tunnel leads.",
            show_default="TLS unless it listens on loopback",
        ),
    ] = None,
    log_format: LogFormatOption = LogFormat.TEXT,
    as_json: JsonOption = False,
) -> None:
    """Stream to devices as one of the farm's servers, until told to stop.

    Where others can listen in, it streams, and gives chunks to other servers, under TLS only.
    """
    chosen = LogFormat.JSON if as_json else log_format
    words = ["--config", str(config.absolute()), "--log-format", chosen]
    if tls is not None:
        words.append("--tls" if tls else "--plain")
    _become(_STREAM, words)


@commands.command("worker", epilog="Example: corral serve worker --server s1")
def serve_worker(  # noqa: PLR0913 - one for each option of the command
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
    metrics: Annotated[
        str | None,
        typer.Option(
            "--metrics",
            metavar="ADDRESS",
            help="Where its metrics are read, on this machine: 127.0.0.1:10950, say.",
            show_default="nowhere",
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
    read_at = [] if metrics is None else ["--metrics", metrics]
    _become(_WORKER, ["--farm", str(folder), "--log-format", chosen, *servers, *read_at])


@commands.command(
    "supervisor", epilog="Example: corral serve supervisor --releases /var/lib/corral"
)
def serve_supervisor(
    *,
    releases: Annotated[
        Path,
        typer.Option(
            "--releases",
            metavar="DIR",
            envvar="CORRAL_RELEASES",
            help="Where releases lie beside each other, and services.toml.",
        ),
    ],
    prove_within: Annotated[
        float,
        typer.Option(
            "--prove-within",
            metavar="SECONDS",
            help="What a release has to show that it works, before the one before is back.",
        ),
    ] = 120.0,
    settle: Annotated[
        float,
        typer.Option(
            "--settle", metavar="SECONDS", help="How long its services have to run for that."
        ),
    ] = 3.0,
    log_format: LogFormatOption = LogFormat.TEXT,
    as_json: JsonOption = False,
) -> None:
    """Run the services of this machine from the release in force, and switch it when told."""
    chosen = LogFormat.JSON if as_json else log_format
    words = ["--releases", str(releases.absolute()), "--log-format", chosen]
    times = ["--prove-within", str(prove_within), "--settle", str(settle)]
    _become(_SUPERVISOR, [*words, *times])


def _become(module: str, arguments: list[str]) -> None:
    code = import_module(module).main(arguments)
    raise typer.Exit(code or 0)
