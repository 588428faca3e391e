"""``corral replica``."""

from typing import TYPE_CHECKING

import typer

from corral.farm.entrypoints.cli import estate_documents, opening
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
from corral.farm.entrypoints.cli.output import human_size

if TYPE_CHECKING:
    from corral.farm.application.list_servers import HeldReplica

commands = command_group("Replicas: which server holds what of each version.")


@commands.command("list", epilog="Example: corral replica list --filter state=fetching")
def list_replicas(  # noqa: PLR0913 - one for each option of the command
    context: typer.Context,
    *,
    filters: FilterOption = None,
    sort: SortOption = None,
    limit: LimitOption = None,
    after: AfterOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the replicas.

    Keys are version, image, root, server, site, state, done, left, problem.
    """
    from corral.farm.application.list_servers import REPLICAS, all_replicas  # noqa: PLC0415

    wish = wish_of(filters, sort, limit, after)
    page = page_of(all_replicas(opening.opened(context, farm).list_servers()), REPLICAS, wish)
    if as_json:
        print_page_json(page, wish, estate_documents.replica)
        return
    print_page(
        page,
        wish,
        ("SERVER", "VERSION", "STATE", ">DONE", ">OF", "PROBLEM"),
        _row,
        empty="no server holds a version yet: corral image import",
    )


def _row(view: "HeldReplica") -> tuple[str, ...]:
    replica = view.held.replica
    return (
        view.server.name,
        str(view.held.name),
        replica.state.value,
        human_size(replica.done_bytes),
        human_size(replica.total_bytes),
        replica.problem,
    )
