"""``corral session``."""

from typing import TYPE_CHECKING

import typer

from corral.farm.entrypoints.cli import documents, opening
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
from corral.farm.entrypoints.cli.output import human_size, human_time

if TYPE_CHECKING:
    from corral.farm.application.show_status import SessionView

commands = command_group("Sessions: who streams what, as the servers last said.")


@commands.command("list", epilog="Example: corral session list --filter server=s1 --sort -sent")
def list_sessions(  # noqa: PLR0913 - one for each option of the command
    context: typer.Context,
    *,
    filters: FilterOption = None,
    sort: SortOption = None,
    limit: LimitOption = None,
    after: AfterOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the sessions.

    Keys are device, version, image, server, state, address, since, sent.
    """
    from corral.farm.application.show_status import SESSIONS  # noqa: PLC0415 - not for `--help`

    wish = wish_of(filters, sort, limit, after)
    page = page_of(opening.opened(context, farm).show_status().sessions, SESSIONS, wish)
    if as_json:
        print_page_json(page, wish, documents.session_view)
        return
    print_page(
        page,
        wish,
        ("DEVICE", "VERSION", "SERVER", "FROM", "SINCE", ">SENT"),
        _row,
        empty="nobody streams anything",
    )


def _row(view: "SessionView") -> tuple[str, ...]:
    session = view.session
    is_known = view.server_state == "online"
    return (
        "-" if view.device is None else view.device.name,
        session.export,
        view.server.name if is_known else f"{view.server.name} (last known)",
        session.address,
        human_time(session.connected_at),
        human_size(session.sent_bytes),
    )
