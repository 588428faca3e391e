"""``corral server rebalance``, ``corral site rebalance`` and ``corral farm balance``."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from corral.farm.entrypoints.cli import balance_documents, completion, opening
from corral.farm.entrypoints.cli.edits import RevisionOption
from corral.farm.entrypoints.cli.opening import FarmOption, JsonOption
from corral.farm.entrypoints.cli.output import print_facts, print_json, print_line, print_table

if TYPE_CHECKING:
    from corral.farm.application.rebalance_servers import Rebalance

DryRunOption = Annotated[
    bool,
    typer.Option("--dry-run", help="Only print who would move where, and why.", show_default=False),
]


of_the_farm = typer.Typer()
of_sites = typer.Typer()
of_servers = typer.Typer()


@of_servers.command("rebalance", epilog="Example: corral server rebalance s1 --dry-run")
def rebalance_server(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            help="Name of the server.", metavar="SERVER", autocompletion=completion.servers
        ),
    ],
    *,
    dry_run: DryRunOption = False,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Move devices away from a server that carries more than its share."""
    from corral.farm.domain.estate.server import server_name  # noqa: PLC0415 - not for `--help`

    verb = opening.opened(context, farm).rebalance_servers
    _show(verb.of_server(server_name(name), is_dry_run=dry_run), as_json=as_json)


@of_sites.command("rebalance", epilog="Example: corral site rebalance default --dry-run")
def rebalance_site(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(help="Name of the site.", metavar="SITE", autocompletion=completion.sites),
    ],
    *,
    dry_run: DryRunOption = False,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Move devices between the servers of a site until each carries its share."""
    from corral.farm.domain.estate.site import site_name  # noqa: PLC0415 - not for `--help`

    verb = opening.opened(context, farm).rebalance_servers
    _show(verb.of_site(site_name(name), is_dry_run=dry_run), as_json=as_json)


def _show(rebalance: "Rebalance", *, as_json: bool) -> None:
    if as_json:
        print_json(balance_documents.rebalance(rebalance))
        return
    if rebalance.moves:
        print_table(
            "Moves" if rebalance.is_ordered else "Moves that would be made",
            ("DEVICE", "FROM", "TO", "WHY"),
            ((move.device, move.origin, move.target, move.why) for move in rebalance.moves),
            empty="",
        )
    for reason in rebalance.quiet:
        who = "nothing is moved" if reason.server is None else f"{reason.server} is left alone"
        print_line(f"{who}: {reason.quiet}")
    if rebalance.moves and rebalance.is_ordered:
        print_line("devices move in their turn: 'corral status' shows where they read from")


@of_the_farm.command(
    "balance", epilog="Example: corral farm balance --automatic --over 25 --every 10"
)
def set_balance(  # noqa: PLR0913 - one for each rule
    context: typer.Context,
    *,
    automatic: Annotated[
        bool | None,
        typer.Option(
            "--automatic/--by-hand",
            help="Whether the farm moves devices by itself.",
            show_default=False,
        ),
    ] = None,
    every: Annotated[
        int | None,
        typer.Option(
            "--every", metavar="MINUTES", help="Least time between rounds.", show_default=False
        ),
    ] = None,
    over: Annotated[
        int | None,
        typer.Option(
            "--over",
            metavar="PERCENT",
            help="How far above the average a server is relieved.",
            show_default=False,
        ),
    ] = None,
    least: Annotated[
        int | None,
        typer.Option(
            "--least",
            metavar="DEVICES",
            help="Fewer, on a server or on average, are not worth a move.",
            show_default=False,
        ),
    ] = None,
    booting: Annotated[
        int | None,
        typer.Option(
            "--booting",
            metavar="PERCENT",
            help="A server of whose devices more start is left alone.",
            show_default=False,
        ),
    ] = None,
    revision: RevisionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show when the farm moves devices by itself, or change it."""
    from corral.farm.application.set_balance import BalanceWish  # noqa: PLC0415 - not for `--help`

    wish = BalanceWish(
        is_automatic=automatic,
        every=None if every is None else timedelta(minutes=every),
        over_percent=over,
        least_devices=least,
        booting_percent=booting,
    )
    application = opening.opened(context, farm)
    is_asking = wish == BalanceWish()
    rules = application.show_balance() if is_asking else application.set_balance(wish, revision)
    if as_json:
        print_json(balance_documents.rules(rules))
        return
    print_facts(
        [
            ("rebalance", "automatic" if rules.is_automatic else "by hand only"),
            ("every", f"{int(rules.every.total_seconds()) // 60} min"),
            ("over", f"{rules.over_percent} % above the average"),
            ("least", f"{rules.least_devices} devices"),
            ("booting", f"not while more than {rules.booting_percent} % start"),
        ]
    )
