"""The commands about virtual machines."""

from __future__ import annotations

import re
from typing import Annotated, Final
from urllib.parse import quote

import typer

from corral.engine.entrypoints.cli.agent_client import ask
from corral.engine.entrypoints.cli.answers import (
    JsonOption,
    done,
    line_of,
    print_json,
    state_of,
    tell,
)

_UNITS: Final = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_SIZE: Final = re.compile(r"([0-9]{1,12})([KMGT]?)(?:i?B)?")
_SPANS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_SPAN: Final = re.compile(r"([0-9]{1,6})([smhd])")

MachineName = Annotated[
    str, typer.Argument(metavar="NAME", help="Its image, or IMAGE@USER.", show_default=False)
]

machine = typer.Typer(help="The virtual machines on this computer.", no_args_is_help=True)


@machine.command("list", epilog="Example: corral-engine machine list --json")
def _machine_list(context: typer.Context, *, as_json: JsonOption = False) -> None:
    """List the machines."""
    machines = ask(state_of(context), "GET", "/status")["machines"]
    if as_json:
        print_json(machines)
    elif not machines:
        typer.echo("no machines: the farm has assigned none, and none was created here")
    else:
        for one in machines:
            typer.echo(line_of(one))


@machine.command("start", epilog="Example: corral-engine machine start debian")
def _start(context: typer.Context, name: MachineName, *, as_json: JsonOption = False) -> None:
    """Have a machine run."""
    _tell_machine(context, name, "start", as_json=as_json)


@machine.command("resume", epilog="Example: corral-engine machine resume debian")
def _resume(context: typer.Context, name: MachineName, *, as_json: JsonOption = False) -> None:
    """Have a suspended machine go on where it was."""
    _tell_machine(context, name, "start", as_json=as_json)


@machine.command("stop", epilog="Example: corral-engine machine stop debian")
def _stop(context: typer.Context, name: MachineName, *, as_json: JsonOption = False) -> None:
    """Have a machine's guest shut down."""
    _tell_machine(context, name, "stop", as_json=as_json)


@machine.command("suspend", epilog="Example: corral-engine machine suspend debian")
def _suspend(context: typer.Context, name: MachineName, *, as_json: JsonOption = False) -> None:
    """Keep what is in a machine's memory, and end its process."""
    _tell_machine(context, name, "suspend", as_json=as_json)


@machine.command("restart", epilog="Example: corral-engine machine restart debian")
def _restart(context: typer.Context, name: MachineName, *, as_json: JsonOption = False) -> None:
    """Restart a machine; a version that is ready is taken."""
    _tell_machine(context, name, "restart", as_json=as_json)


@machine.command("postpone", epilog="Example: corral-engine machine postpone debian 2h")
def _postpone(
    context: typer.Context,
    name: MachineName,
    span: Annotated[str, typer.Argument(metavar="SPAN", help="Such as 30m or 2h.")],
    *,
    as_json: JsonOption = False,
) -> None:
    """Put the restart for a new version off, as far as policy lets one."""
    body = {"seconds": _seconds(span)}
    ask(state_of(context), "POST", f"/machines/{quote(name, safe='')}/postpone", body)
    done(as_json=as_json)


@machine.command("create", epilog="Example: corral-engine machine create scratch 20G")
def _create(  # noqa: PLR0913 - a machine has that many properties
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", show_default=False)],
    size: Annotated[str, typer.Argument(metavar="SIZE", help="Of its disk, such as 20G.")],
    *,
    memory: Annotated[int, typer.Option(help="MiB.")] = 1024,
    processors: Annotated[int, typer.Option()] = 1,
    as_json: JsonOption = False,
) -> None:
    """Make a local machine with an empty disk."""
    body = {
        "name": name,
        "size_bytes": _bytes(size),
        "memory_mib": memory,
        "processors": processors,
    }
    ask(state_of(context), "POST", "/machines", body)
    done(as_json=as_json)


@machine.command("remove", epilog="Example: corral-engine machine remove scratch")
def _remove(context: typer.Context, name: MachineName, *, as_json: JsonOption = False) -> None:
    """Remove a local machine with its disk."""
    _tell_machine(context, name, "remove", as_json=as_json)


@machine.command("snapshots", epilog="Example: corral-engine machine snapshots scratch")
def _snapshots(context: typer.Context, name: MachineName, *, as_json: JsonOption = False) -> None:
    """List a machine's snapshots."""
    names = ask(state_of(context), "GET", f"/machines/{quote(name, safe='')}/snapshots")
    if as_json:
        print_json(names)
    else:
        for one in names:
            typer.echo(one)


@machine.command("snapshot", epilog="Example: corral-engine machine snapshot scratch before")
def _snapshot(
    context: typer.Context,
    name: MachineName,
    snapshot: Annotated[str, typer.Argument(metavar="SNAPSHOT", show_default=False)],
    *,
    as_json: JsonOption = False,
) -> None:
    """Keep how the disks of a machine that does not run are, under a name."""
    path = f"/machines/{quote(name, safe='')}/snapshot"
    ask(state_of(context), "POST", path, {"name": snapshot})
    done(as_json=as_json)


@machine.command("revert", epilog="Example: corral-engine machine revert scratch before")
def _revert(
    context: typer.Context,
    name: MachineName,
    snapshot: Annotated[str, typer.Argument(metavar="SNAPSHOT", show_default=False)],
    *,
    as_json: JsonOption = False,
) -> None:
    """Have the disks of a machine that does not run be as they were."""
    path = f"/machines/{quote(name, safe='')}/revert"
    ask(state_of(context), "POST", path, {"name": snapshot})
    done(as_json=as_json)


def _tell_machine(context: typer.Context, name: str, verb: str, *, as_json: bool) -> None:
    tell(context, f"/machines/{quote(name, safe='')}/{verb}", as_json=as_json)


def _bytes(text: str) -> int:
    matched = _SIZE.fullmatch(text)
    if matched is None:
        message = f"{text!r} is not a size: write a number with K, M, G or T, such as 20G"
        raise typer.BadParameter(message)
    return int(matched[1]) * _UNITS[matched[2]]


def _seconds(text: str) -> int:
    matched = _SPAN.fullmatch(text)
    if matched is None:
        message = f"{text!r} is not a span of time: write a number with s, m, h or d, such as 2h"
        raise typer.BadParameter(message)
    return int(matched[1]) * _SPANS[matched[2]]
