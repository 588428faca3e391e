"""``corral replication``."""

import threading
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Final

import typer

from corral.farm.entrypoints.cli import completion, opening
from corral.farm.entrypoints.cli.edits import RevisionOption
from corral.farm.entrypoints.cli.group import command_group
from corral.farm.entrypoints.cli.opening import FarmOption, JsonOption
from corral.farm.entrypoints.cli.output import human_size, print_json, print_line, print_table

if TYPE_CHECKING:
    from corral.farm.application.set_replication import CopiesPlan
    from corral.farm.application.show_replication import CopyView, ShowReplication
    from corral.farm.entrypoints.cli.output import Json

commands = command_group("Replication: versions flow to the servers that should hold them.")

_LOOK_SECONDS: Final = 1.0
_COLUMNS: Final = ("VERSION", "SERVER", "STATE", ">DONE", ">LEFT", ">TIME LEFT", "PROBLEM")


@commands.command("status", epilog="Example: corral replication status --watch")
def show_status(
    context: typer.Context,
    *,
    watch: Annotated[
        bool, typer.Option("--watch", help="Look again each second until all is in step.")
    ] = False,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show which server has how much of which version."""
    application = opening.opened(context, farm)
    if watch and not as_json:
        _watch(application.show_replication)
        return
    views = application.show_replication()
    if as_json:
        print_json([_document(view) for view in views])
        return
    print_table("", _COLUMNS, map(_row, views), empty="no version is on any server yet")
    if views:
        print_line(_summary(views))


@commands.command("policy", epilog="Example: corral replication policy default 2")
def set_policy(  # noqa: PLR0913 - one for each option of the command
    context: typer.Context,
    store: Annotated[
        str,
        typer.Argument(
            help="Name of the store.", metavar="STORE", autocompletion=completion.stores
        ),
    ],
    copies: Annotated[
        str, typer.Argument(help="'all', or how many servers hold each version.", metavar="COPIES")
    ],
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would come and go, and change nothing.")
    ] = False,
    revision: RevisionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say how many servers of a store hold each of its versions.

    Missing copies begin to flow. Copies too many go, one of a version after the other, as soon as
    enough other servers have said that they hold it; one that devices use stays until they do not.
    What was asked for with 'corral image replicate' stays where it is.
    """
    from corral.farm.domain.estate import replication  # noqa: PLC0415 - not for `--help`
    from corral.farm.domain.estate.store import store_name  # noqa: PLC0415

    wanted = replication.copies(copies)
    application = opening.opened(context, farm)
    if dry_run:
        plan = application.set_copies.plan(store_name(store), wanted)
        _show_plan(plan, as_json=as_json)
        return
    changed = application.set_copies(store_name(store), wanted, revision)
    if as_json:
        print_json({"store": changed.name, "copies": changed.copies, "revision": changed.revision})
    else:
        who = "every server" if wanted is None else f"{wanted} of the servers"
        print_line(f"{who} of store {changed.name} will hold each version")


@commands.command(
    "limit",
    epilog="Example: corral replication limit lab --rate 100M --window 08:00-18:00=2M"
    " --zone Europe/Paris",
)
def limit(  # noqa: PLR0913 - one for each option of the command
    context: typer.Context,
    site: Annotated[
        str,
        typer.Argument(help="Name of the site.", metavar="SITE", autocompletion=completion.sites),
    ],
    *,
    rate: Annotated[
        str | None,
        typer.Option(
            "--rate",
            metavar="BYTES",
            help="Bytes a second outside the windows, such as 20M.",
            show_default="no limit",
        ),
    ] = None,
    window: Annotated[
        list[str] | None,
        typer.Option(
            "--window", metavar="FROM-UNTIL=BYTES", help="A time of each day with its own rate."
        ),
    ] = None,
    zone: Annotated[
        str, typer.Option("--zone", metavar="ZONE", help="Whose clocks the windows mean.")
    ] = "UTC",
    revision: RevisionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what copies may take of a site's line, divided among its servers; without options, all.

    What is said holds for all servers of the site together; those that fetch at a time share it.
    """
    from corral.farm.domain.estate.replication import (  # noqa: PLC0415 - not for `--help`
        Bandwidth,
        Window,
        bytes_a_second,
    )
    from corral.farm.domain.estate.site import site_name  # noqa: PLC0415

    bandwidth = Bandwidth(
        rate=None if rate is None else bytes_a_second(rate),
        windows=tuple(map(Window.parse, window or ())),
        zone=zone,
    )
    application = opening.opened(context, farm)
    changed = application.limit_replication(site_name(site), bandwidth, revision)
    if as_json:
        print_json(
            {
                "site": changed.name,
                "rate": bandwidth.rate,
                "windows": [{"between": str(one), "rate": one.rate} for one in bandwidth.windows],
                "zone": zone,
                "revision": changed.revision,
            }
        )
        return
    said = "no limit" if bandwidth.rate is None else f"{human_size(bandwidth.rate)}/s"
    print_line(f"copies to servers of site {changed.name}: {said}")
    for one in bandwidth.windows:
        print_line(f"  {one} {zone}: {human_size(one.rate)}/s")


def _show_plan(plan: "CopiesPlan", *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "store": plan.store.name,
                "copies": plan.store.copies,
                "comes": [
                    {"version": str(version), "server": server} for version, server in plan.comes
                ],
                "goes": [
                    {"version": str(version), "server": server, "why": stays.value}
                    for version, server, stays in plan.goes
                ],
            }
        )
        return
    rows = [(str(version), server, "comes", "") for version, server in plan.comes]
    rows += [(str(version), server, "goes", stays.value) for version, server, stays in plan.goes]
    empty = "no copy would come or go"
    print_table("", ("VERSION", "SERVER", "COPY", "WHEN"), sorted(rows), empty=empty)


def _watch(look: "ShowReplication") -> None:
    from rich.live import Live  # noqa: PLC0415 - dear
    from rich.table import Table  # noqa: PLC0415

    def table(views: "tuple[CopyView, ...]") -> Table:
        shown = Table(title=_summary(views), box=None, title_justify="left")
        for name in _COLUMNS:
            right = name.startswith(">")
            shown.add_column(name.removeprefix(">"), justify="right" if right else "left")
        for view in views:
            shown.add_row(*_row(view))
        return shown

    pause = threading.Event()
    views = look()
    with Live(table(views), refresh_per_second=4) as live:
        while any(not view.state.is_settled for view in views):
            pause.wait(_LOOK_SECONDS)
            views = look()
            live.update(table(views))


def _summary(views: "tuple[CopyView, ...]") -> str:
    counts = Counter(view.state.value for view in views)
    left = sum(view.left_bytes for view in views)
    states = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
    return f"{states}; {human_size(left)} left" if left else states


def _row(view: "CopyView") -> tuple[str, ...]:
    state = view.state.value
    if state == "copying":
        state = f"copying {view.percent} %"
    return (
        str(view.version.name),
        view.server.name,
        state,
        human_size(view.done_bytes),
        human_size(view.left_bytes) if view.left_bytes else "",
        "" if view.time_left is None else str(view.time_left),
        view.problem,
    )


def _document(view: "CopyView") -> "Json":
    return {
        "version": str(view.version.name),
        "root": view.version.root.hex,
        "server": view.server.name,
        "state": view.state.value,
        "percent": view.percent,
        "done_bytes": view.done_bytes,
        "left_bytes": view.left_bytes,
        "seconds_left": None if view.time_left is None else int(view.time_left.total_seconds()),
        "problem": view.problem,
    }
