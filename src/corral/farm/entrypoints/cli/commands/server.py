"""``corral server``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from corral.farm.entrypoints.cli import completion, documents, opening
from corral.farm.entrypoints.cli.group import command_group
from corral.farm.entrypoints.cli.opening import FarmOption, JsonOption
from corral.farm.entrypoints.cli.output import (
    human_size,
    human_time,
    print_facts,
    print_json,
    print_line,
    print_table,
)

if TYPE_CHECKING:
    from corral.farm.application.list_servers import ServerView

commands = command_group("Servers: the machines that stream.")

ServerArgument = Annotated[
    str,
    typer.Argument(help="Name of the server.", metavar="SERVER", autocompletion=completion.servers),
]


@commands.command(
    "add",
    epilog="Example: corral server add s1 --store /srv/s1 --listen 0.0.0.0:10809"
    " --advertise 192.0.2.10:10809 --chunks 192.0.2.10:10901",
)
def add_server(  # noqa: PLR0913 - one for each option of the command
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the server.", metavar="NAME")],
    *,
    store: Annotated[
        Path,
        typer.Option("--store", metavar="DIR", help="Folder for its chunks: new or empty."),
    ],
    listen: Annotated[
        list[str],
        typer.Option("--listen", metavar="ADDRESS", help="Where it listens for devices; several."),
    ],
    chunks: Annotated[
        str,
        typer.Option("--chunks", metavar="ADDRESS", help="Where it listens for other servers."),
    ],
    advertise: Annotated[
        list[str] | None,
        typer.Option(
            "--advertise",
            metavar="ADDRESS",
            help="Where devices reach it, best first.",
            show_default="as it listens",
        ),
    ] = None,
    advertise_chunks: Annotated[
        str | None,
        typer.Option(
            "--advertise-chunks",
            metavar="ADDRESS",
            help="Where other servers reach it.",
            show_default="as it listens",
        ),
    ] = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a server, make its store, and write the file that its stream process starts from."""
    from corral.farm.application.add_server import NewServer  # noqa: PLC0415 - not for `--help`
    from corral.farm.domain.estate.address import Address  # noqa: PLC0415
    from corral.farm.domain.estate.server import server_name  # noqa: PLC0415

    wanted = NewServer(
        name=server_name(name),
        store_path=store.absolute(),
        listen=tuple(map(Address.parse, listen)),
        chunks_listen=Address.parse(chunks),
        advertised=tuple(map(Address.parse, advertise or ())),
        chunks_advertised=None if advertise_chunks is None else Address.parse(advertise_chunks),
    )
    added = opening.opened(context, farm).add_server(wanted)
    if as_json:
        print_json({**documents.server(added.server), "file": str(added.file)})
        return
    print_facts(
        [
            ("server", added.server.name),
            ("store", str(added.server.store.path)),
            ("file", f"{added.file} (holds the server's token)"),
            ("next", f"corral serve stream --config {added.file}"),
        ]
    )


@commands.command("list", epilog="Example: corral server list")
def list_servers(
    context: typer.Context, *, farm: FarmOption = None, as_json: JsonOption = False
) -> None:
    """List the servers with their states."""
    views = opening.opened(context, farm).list_servers()
    if as_json:
        print_json([documents.server_view(view) for view in views])
        return
    print_table(
        "",
        ("SERVER", "STATE", ">SESSIONS", ">HOLDS", ">FREE", "ADDRESSES", "LAST REPORT"),
        (_row(view) for view in views),
        empty="no servers yet: corral server add",
    )


def _row(view: "ServerView") -> tuple[str, ...]:
    report = view.server.last_report
    complete = sum(held.replica.is_complete for held in view.held)
    has_free = report is not None and report.free_bytes is not None
    return (
        view.server.name,
        _state(view),
        "-" if report is None else str(report.session_count),
        f"{complete}/{len(view.held)}",
        human_size(report.free_bytes or 0) if report is not None and has_free else "-",
        " ".join(map(str, view.server.advertised)),
        human_time(None if report is None else report.at),
    )


def _state(view: "ServerView") -> str:
    return f"{view.state}, draining" if view.server.draining else str(view.state)


@commands.command("show", epilog="Example: corral server show s1")
def show_server(
    context: typer.Context,
    name: ServerArgument,
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a server, what it holds and what it last reported."""
    from corral.farm.domain.estate.server import server_name  # noqa: PLC0415 - not for `--help`

    view = opening.opened(context, farm).show_server(server_name(name))
    if as_json:
        print_json(documents.server_view(view))
        return
    server = view.server
    print_facts(
        [
            ("server", server.name),
            ("state", _state(view)),
            ("store", str(server.store.path)),
            ("listens", " ".join(map(str, server.listen))),
            ("advertised", " ".join(map(str, server.advertised))),
            ("chunks", f"{server.chunks_listen}, advertised {server.chunk_url}"),
            ("last report", human_time(server.last_report.at if server.last_report else None)),
        ]
    )
    print_table(
        "",
        ("VERSION", "ROOT", "STATE", ">DONE", "PROBLEM"),
        (
            (
                str(held.name),
                held.replica.root.short,
                held.replica.state.value,
                human_size(held.replica.done_bytes),
                held.replica.problem,
            )
            for held in view.held
        ),
        empty="it holds no version",
    )


@commands.command("drain", epilog="Example: corral server drain s1")
def drain_server(
    context: typer.Context,
    name: ServerArgument,
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send a server no more devices, and let those that it has move on."""
    from corral.farm.domain.estate.server import server_name  # noqa: PLC0415 - not for `--help`

    server = opening.opened(context, farm).drain_server(server_name(name))
    if as_json:
        print_json(documents.server(server))
    else:
        print_line(f"{server.name} is draining: 'corral status' shows when its devices have left")


@commands.command("undrain", epilog="Example: corral server undrain s1")
def undrain_server(
    context: typer.Context,
    name: ServerArgument,
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send a server devices again."""
    from corral.farm.domain.estate.server import server_name  # noqa: PLC0415 - not for `--help`

    server = opening.opened(context, farm).undrain_server(server_name(name))
    if as_json:
        print_json(documents.server(server))
    else:
        print_line(f"{server.name} takes devices again")
