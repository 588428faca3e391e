"""``corral server``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from corral.farm.entrypoints.cli import completion, documents, opening, server_releases
from corral.farm.entrypoints.cli.edits import NONE, DescriptionOption, SubnetOption
from corral.farm.entrypoints.cli.group import command_group
from corral.farm.entrypoints.cli.listing import (
    AfterOption,
    FilterOption,
    LimitOption,
    SortOption,
    page_of,
    print_page,
    print_page_json,
    wish_of,
)
from corral.farm.entrypoints.cli.opening import FarmOption, JsonOption
from corral.farm.entrypoints.cli.output import (
    human_size,
    human_time,
    print_facts,
    print_json,
    print_line,
    print_table,
)
from corral.farm.entrypoints.cli.scrub_documents import seen_words

if TYPE_CHECKING:
    from corral.farm.application.list_servers import ServerView

commands = command_group("Servers: the machines that stream.")

ServerArgument = Annotated[
    str,
    typer.Argument(help="Name of the server.", metavar="SERVER", autocompletion=completion.servers),
]
PowerOption = Annotated[
    str | None,
    typer.Option(
        "--power",
        metavar="RATING",
        help="0.1 to 1000: how many devices it bears beside the others.",
        show_default=False,
    ),
]
RelayOption = Annotated[
    bool | None,
    typer.Option(
        "--relay/--no-relay",
        help="Whether it keeps what its site's computers get, and speaks with the farm for them.",
        show_default=False,
    ),
]
MaxDevicesOption = Annotated[
    str | None,
    typer.Option(
        "--max-devices", metavar="N", help="Most devices; 'none' for any.", show_default=False
    ),
]
MaxBootingOption = Annotated[
    str | None,
    typer.Option(
        "--max-booting",
        metavar="N",
        help="Most devices that start here at once; 'none' for any.",
        show_default=False,
    ),
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
    listen: Annotated[
        list[str],
        typer.Option("--listen", metavar="ADDRESS", help="Where it listens for devices; several."),
    ],
    chunks: Annotated[
        str,
        typer.Option("--chunks", metavar="ADDRESS", help="Where it listens for other servers."),
    ],
    store: Annotated[
        Path | None,
        typer.Option(
            "--store",
            metavar="DIR",
            help="Folder for its chunks: new or empty.",
            show_default="that of its store",
        ),
    ] = None,
    in_store: Annotated[
        str | None,
        typer.Option(
            "--in-store",
            metavar="STORE",
            help="The store that it keeps with others.",
            autocompletion=completion.stores,
            show_default="the first store",
        ),
    ] = None,
    site: Annotated[
        str | None,
        typer.Option(
            "--site",
            metavar="SITE",
            help="Where it is.",
            autocompletion=completion.sites,
            show_default="the first site",
        ),
    ] = None,
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
    management: Annotated[
        str | None,
        typer.Option(
            "--management",
            metavar="ADDRESS",
            help="Where devices can log in whatever becomes of the API.",
            show_default="nowhere",
        ),
    ] = None,
    power: PowerOption = None,
    max_devices: MaxDevicesOption = None,
    max_booting: MaxBootingOption = None,
    relay: RelayOption = None,
    subnet: SubnetOption = None,
    description: DescriptionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a server, make its store, and write the file that its stream process starts from."""
    from corral.farm.application.add_server import NewServer  # noqa: PLC0415 - not for `--help`
    from corral.farm.domain.estate.address import Address  # noqa: PLC0415
    from corral.farm.domain.estate.capacity import (  # noqa: PLC0415
        NORMAL_POWER,
        parse_limit,
        power_rating,
    )
    from corral.farm.domain.estate.server import server_name  # noqa: PLC0415
    from corral.farm.domain.estate.site import site_name  # noqa: PLC0415
    from corral.farm.domain.estate.store import store_name  # noqa: PLC0415
    from corral.farm.domain.estate.subnet import parse_subnets  # noqa: PLC0415

    wanted = NewServer(
        name=server_name(name),
        store_path=None if store is None else store.absolute(),
        listen=tuple(map(Address.parse, listen)),
        chunks_listen=Address.parse(chunks),
        advertised=tuple(map(Address.parse, advertise or ())),
        chunks_advertised=None if advertise_chunks is None else Address.parse(advertise_chunks),
        management=None if management is None else Address.parse(management),
        store=None if in_store is None else store_name(in_store),
        site=None if site is None else site_name(site),
        description=description or "",
        power_rating=NORMAL_POWER if power is None else power_rating(power),
        max_devices=None if max_devices in {None, NONE} else parse_limit(str(max_devices)),
        max_devices_booting=None if max_booting in {None, NONE} else parse_limit(str(max_booting)),
        subnets=parse_subnets(subnet or ()),
        relay=bool(relay),
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


@commands.command("list", epilog="Example: corral server list --filter state=online --sort -free")
def list_servers(  # noqa: PLR0913
    context: typer.Context,
    *,
    filters: FilterOption = None,
    sort: SortOption = None,
    limit: LimitOption = None,
    after: AfterOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the servers with their states.

    Keys are name, site, store, state, draining, maintenance, relay, release, address, rating,
    sessions, free, reported, description.
    """
    from corral.farm.application.list_servers import SERVERS  # noqa: PLC0415 - not for `--help`

    wish = wish_of(filters, sort, limit, after)
    page = page_of(opening.opened(context, farm).list_servers(), SERVERS, wish)
    if as_json:
        print_page_json(page, wish, documents.server_view)
        return
    print_page(
        page,
        wish,
        ("SERVER", "SITE", "STATE", ">SESSIONS", ">HOLDS", ">FREE", "ADDRESSES", "LAST REPORT"),
        _row,
        empty="no servers yet: corral server add",
    )


def _row(view: "ServerView") -> tuple[str, ...]:
    report = view.server.last_report
    complete = sum(held.replica.is_complete for held in view.held)
    has_free = report is not None and report.free_bytes is not None
    return (
        view.server.name,
        view.site.name,
        _state(view),
        "-" if report is None else str(report.session_count),
        f"{complete}/{len(view.held)}",
        human_size(report.free_bytes or 0) if report is not None and has_free else "-",
        " ".join(map(str, view.server.advertised)),
        human_time(None if report is None else report.at),
    )


def _state(view: "ServerView") -> str:
    flags = (
        ("relay", view.server.relay and not view.server.refusal),
        ("relay refuses", bool(view.server.refusal)),
        ("draining", view.server.draining),
        ("maintenance", view.server.maintenance),
    )
    return ", ".join([str(view.state), *(word for word, is_so in flags if is_so)])


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
            ("site", view.site.name),
            ("store", f"{view.store.name}, in {server.store.path}"),
            ("description", server.description),
            ("management", str(server.management or "nowhere")),
            ("power rating", str(server.power_rating)),
            ("most devices", str(server.max_devices or "any")),
            ("most booting", str(server.max_devices_booting or "any")),
            ("subnets", " ".join(map(str, server.subnets)) or "none"),
            ("revision", str(server.revision)),
            ("listens", " ".join(map(str, server.listen))),
            ("advertised", " ".join(map(str, server.advertised))),
            ("chunks", f"{server.chunks_listen}, advertised {server.chunk_url}"),
            ("last report", human_time(server.last_report.at if server.last_report else None)),
            ("release", (server.last_report.release if server.last_report else "") or "unknown"),
            *((("relay refuses", server.refusal),) if server.refusal else ()),
            ("scrub", seen_words(server.last_report.scrub if server.last_report else None)),
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


@commands.command("releases", epilog="Example: corral server releases")
def list_server_releases(
    context: typer.Context,
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say which releases lie on each server, which runs, and what keeps it from another one."""
    views = opening.opened(context, farm).list_servers()
    if as_json:
        print_json(
            [{"name": v.server.name, **server_releases.document_of(v.server)} for v in views]
        )
        return
    print_table(
        "",
        server_releases.HEADINGS,
        (server_releases.row_of(view.server) for view in views),
        empty="no servers yet: corral server add",
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
