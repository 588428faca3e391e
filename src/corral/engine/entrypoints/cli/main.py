"""The commands of ``corral-engine``."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path
from typing import Annotated, Any, Final

import structlog
import typer

from corral.engine.adapters.qemu.accelerator import Choice
from corral.engine.entrypoints.cli.agent_client import ask
from corral.engine.entrypoints.cli.answers import (
    DEFAULT_STATE,
    JsonOption,
    Root,
    line_of,
    print_json,
    state_of,
    tell,
)
from corral.engine.entrypoints.cli.machines import machine
from corral.engine.entrypoints.cli.root import EngineGroup

CODE_VARIABLE: Final = "CORRAL_ENGINE_CODE"
STATUS_ADDRESS: Final = "127.0.0.1:10940"
PUBLISHERS: Final = Path("/etc/corral-engine/publishers")

app = typer.Typer(
    cls=EngineGroup,
    help="The agent on a computer that keeps images locally and runs them as virtual machines.",
    no_args_is_help=True,
    add_completion=False,
)
app.add_typer(machine, name="machine")


@app.callback()
def _begin(
    context: typer.Context,
    *,
    state: Annotated[
        Path,
        typer.Option(help="The engine's state folder.", envvar="CORRAL_ENGINE_STATE"),
    ] = DEFAULT_STATE,
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
    del debug, version
    context.obj = Root(state.absolute())


@app.command("register", epilog="Example: corral-engine register https://farm:10900 --code-file -")
def _register(  # noqa: PLR0913 - a registration has that many parts
    context: typer.Context,
    url: Annotated[str, typer.Argument(metavar="URL", show_default=False, help="The farm's API.")],
    *,
    name: Annotated[
        str, typer.Option(help="What the computer is called.", show_default="its host name")
    ] = "",
    code_file: Annotated[
        Path | None,
        typer.Option(
            help="A file with the one-time code, - for the standard input; or CORRAL_ENGINE_CODE."
            " Without a code an administrator has to approve the computer.",
            show_default=False,
        ),
    ] = None,
    authority: Annotated[
        Path | None,
        typer.Option(
            "--ca",
            help="The farm's root certificate, its ca.pem, to believe its https by.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Have this computer belong to a farm."""
    from corral.engine.application.ports import AskedRegistration  # noqa: PLC0415 - as below
    from corral.engine.bootstrap import open_register  # noqa: PLC0415 - not for other commands
    from corral.engine.domain.orders import Standing  # noqa: PLC0415 - as below

    root = "" if authority is None else _read(authority, "root certificate")
    asked = AskedRegistration(url, name or platform.node(), _code(code_file), root)
    place = open_register(state_of(context))(asked)
    if as_json:
        document = {
            "computer": str(place.computer),
            "name": place.computer_name,
            "farm": str(place.farm),
            "farm_name": place.farm_name,
            "standing": str(place.standing),
        }
        print_json(document)
    else:
        typer.echo(f"{place.computer_name}: {place.standing} with farm {place.farm_name}")
        if place.standing is Standing.WAITING:
            typer.echo(f"then  corral computer approve {place.computer_name}  (in the farm)")
        typer.echo("next  corral-engine serve, unless it runs already")


@app.command("serve", epilog="Example: corral-engine serve")
def _serve(  # noqa: PLR0913 - an agent has that many options
    context: typer.Context,
    *,
    status: Annotated[
        str, typer.Option(help="Where the page of the status is shown.", metavar="HOST:PORT")
    ] = STATUS_ADDRESS,
    starts_disks: Annotated[
        bool,
        typer.Option(
            "--start-disks/--no-start-disks", help="Start the disk process where none runs."
        ),
    ] = True,
    accelerator: Annotated[
        Choice, typer.Option(help="By what machines are run; auto: KVM where it works.")
    ] = Choice.AUTO,
    media: Annotated[
        list[Path] | None,
        typer.Option(
            help="Below which folders media are mounted that may have versions on them; once for"
            " each.",
            metavar="DIR",
            show_default="/media and /run/media",
        ),
    ] = None,
    publishers: Annotated[
        Path,
        typer.Option(help="The list of the publishers whose kits are installed.", metavar="FILE"),
    ] = PUBLISHERS,
    log_format: Annotated[str, typer.Option(help="json or text.")] = "text",
) -> None:
    """Run the agent until it is told to stop; machines go on."""
    from corral.engine.bootstrap import EngineOptions  # noqa: PLC0415 - as below
    from corral.engine.entrypoints.agent.serve import serve  # noqa: PLC0415 - not for others

    _log_to_stderr(log_format)
    options = EngineOptions(accelerator, tuple(media or ()), publishers, starts_disks)
    serve(state_of(context), status, options)


@app.command("disks", epilog="Example: corral-engine disks")
def _disks(
    context: typer.Context,
    *,
    log_format: Annotated[str, typer.Option(help="json or text.")] = "text",
) -> None:
    """Run the process that offers versions as disks; the agent starts it by itself."""
    from corral.engine.adapters.state_folder import StateFolder  # noqa: PLC0415 - as above
    from corral.engine.entrypoints.disks.main import serve  # noqa: PLC0415

    _log_to_stderr(log_format)
    serve(StateFolder(state_of(context)))


@app.command("status", epilog="Example: corral-engine status --json")
def _status(context: typer.Context, *, as_json: JsonOption = False) -> None:
    """Show how everything is."""
    status = ask(state_of(context), "GET", "/status")
    if as_json:
        print_json(status)
        return
    farm = status["farm"]
    typer.echo(f"engine  {status['release']}, {status['accelerator']}")
    kit = status["kit"]
    if kit["wanted"] is not None:
        typer.echo(f"update  {kit['wanted']}, {kit['state']}  {kit['problem']}".rstrip())
    if farm is None:
        typer.echo("farm    none: corral-engine register URL --code-file FILE")
    else:
        problem = status["check_in"]["problem"]
        heard = f"does not answer: {problem}" if problem else "answers"
        typer.echo(f"farm    {farm['name']} ({farm['standing']}), {heard}")
    if status["is_pausing"]:
        typer.echo("fetch   paused: corral-engine resume-fetch")
    for one in status["machines"]:
        typer.echo(line_of(one))


@app.command("check-now", epilog="Example: corral-engine check-now")
def _check_now(context: typer.Context, *, as_json: JsonOption = False) -> None:
    """Ask the farm at once what should be."""
    tell(context, "/check-in", as_json=as_json)


@app.command("pause", epilog="Example: corral-engine pause")
def _pause(context: typer.Context, *, as_json: JsonOption = False) -> None:
    """Fetch nothing until resume-fetch; what has come stays."""
    tell(context, "/pause", as_json=as_json)


@app.command("resume-fetch", epilog="Example: corral-engine resume-fetch")
def _resume_fetch(context: typer.Context, *, as_json: JsonOption = False) -> None:
    """Fetch again."""
    tell(context, "/resume-fetch", as_json=as_json)


def _code(file: Path | None) -> str | None:
    """Read the one-time code, which is a secret: it stands in no list of processes."""
    if file is None:
        return os.environ.get(CODE_VARIABLE) or None
    text = sys.stdin.read() if str(file) == "-" else _read(file, "code")
    return text.strip() or None


def _read(file: Path, what: str) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        message = f"the file of the {what}, {file}, cannot be read: {error}"
        raise typer.BadParameter(message) from error


def _print_version(*, is_wanted: bool) -> None:
    if is_wanted:
        from importlib.metadata import version  # noqa: PLC0415 - not for other commands

        typer.echo(f"corral-engine {version('corral')}")
        raise typer.Exit


def _log_to_stderr(log_format: str) -> None:
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.processors.LogfmtRenderer(
            key_order=["timestamp", "level", "event"], bool_as_flag=False
        )
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )
