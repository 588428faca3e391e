"""``corral computer code``, ``codes``, ``code-revoke``, ``approve`` and ``refuse``."""

from typing import TYPE_CHECKING, Annotated

import typer

from corral.farm.entrypoints.cli import completion, opening, user_documents
from corral.farm.entrypoints.cli.commands.computer import ComputerArgument
from corral.farm.entrypoints.cli.commands.device import CollectionOption
from corral.farm.entrypoints.cli.commands.image_users import UsersOption
from corral.farm.entrypoints.cli.documents import instant
from corral.farm.entrypoints.cli.edits import RevisionOption
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
from corral.farm.entrypoints.cli.output import human_time, print_facts, print_json, print_line

if TYPE_CHECKING:
    from corral.farm.application.issue_code import CodeView
    from corral.farm.application.verbs import Application

commands = typer.Typer()

_HOURS_OF_A_WEEK = 168


@commands.command("code", epilog="Example: corral computer code --user rboston --hours 24")
def issue_code(  # noqa: PLR0913 - one for each option of the command
    context: typer.Context,
    *,
    user: Annotated[
        str | None,
        typer.Option(
            "--user",
            metavar="USER",
            help="Whose computer it registers.",
            autocompletion=completion.users,
            show_default="whom it names",
        ),
    ] = None,
    collection: CollectionOption = None,
    hours: Annotated[
        float, typer.Option("--hours", metavar="N", help="How long it works.")
    ] = _HOURS_OF_A_WEEK,
    count: Annotated[
        int, typer.Option("--count", metavar="N", help="How many computers it registers.")
    ] = 1,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a one-time code with which a computer is registered at once; it is shown only now."""
    from datetime import timedelta  # noqa: PLC0415 - not for `--help`

    from corral.farm.domain.computer.user import user_name  # noqa: PLC0415
    from corral.farm.domain.estate.collection import collection_name  # noqa: PLC0415

    application = opening.opened(context, farm)
    given = application.issue_code(
        None if user is None else user_name(user),
        None if collection is None else collection_name(collection),
        timedelta(hours=max(0.0, min(hours, 1e6))),
        count,
    )
    code, until = given.secret.reveal(), human_time(given.code.expires_at)
    if as_json:
        expires_at = instant(given.code.expires_at)
        print_json({"id": str(given.code.id), "code": code, "expires_at": expires_at})
        return
    print_facts(
        [
            ("code", f"{code} (shown now and never again)"),
            ("works", f"until {until}, for {count} computer{'s' if count > 1 else ''}"),
            ("id", str(given.code.id)),
            ("then", f"on the computer: {_register_command(application)}"),
        ]
    )


def _register_command(application: "Application") -> str:
    """Give what whoever sets a computer up types there; the code is no part of it."""
    url = application.show_farm().farm.api_urls[0]
    authority = " --ca ca.pem" if url.startswith("https:") else ""
    return f"corral-engine register {url}{authority} --code-file -"


@commands.command("codes", epilog="Example: corral computer codes --filter works=yes")
def list_codes(  # noqa: PLR0913
    context: typer.Context,
    *,
    filters: FilterOption = None,
    sort: SortOption = None,
    limit: LimitOption = None,
    after: AfterOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the one-time codes, the oldest first, without their secrets.

    Keys are id, user, collection, left, works, created, expires.
    """
    from corral.farm.application.issue_code import CODES  # noqa: PLC0415

    wish = wish_of(filters, sort, limit, after)
    page = page_of(opening.opened(context, farm).list_codes(), CODES, wish)
    if as_json:
        print_page_json(page, wish, user_documents.code)
        return
    print_page(
        page,
        wish,
        ("ID", "USER", "COLLECTION", ">LEFT", "WORKS", "UNTIL"),
        _row,
        empty="no codes: corral computer code",
    )


def _row(view: "CodeView") -> tuple[str, ...]:
    return (
        str(view.code.id),
        view.user or "whom it names",
        "gone" if view.collection is None else view.collection.name,
        str(view.code.uses_left),
        "yes" if view.works else "no",
        human_time(view.code.expires_at),
    )


@commands.command(
    "code-revoke",
    epilog="Example: corral computer code-revoke 5c1a9a0e-8d1f-4a59-9f0f-3c2b1a000001",
)
def revoke_code(
    context: typer.Context,
    code: Annotated[str, typer.Argument(help="Id of the code.", metavar="ID")],
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a one-time code back."""
    revoked = opening.opened(context, farm).revoke_code(code)
    if as_json:
        print_json({"id": str(revoked.id), "revoked": True})
    else:
        print_line(f"code {revoked.id} registers nothing any more")


@commands.command("approve", epilog="Example: corral computer approve laptop --user rboston")
def approve_computer(  # noqa: PLR0913
    context: typer.Context,
    name: ComputerArgument,
    *,
    user: UsersOption = None,
    collection: CollectionOption = None,
    revision: RevisionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Register a computer that waits; without --user, for the one that it named."""
    from corral.farm.domain.computer.computer import computer_name  # noqa: PLC0415
    from corral.farm.domain.computer.user import user_name  # noqa: PLC0415
    from corral.farm.domain.estate.collection import collection_name  # noqa: PLC0415

    application = opening.opened(context, farm)
    of = computer_name(name)
    application.approve_computer(
        of,
        tuple(map(user_name, user or ())),
        None if collection is None else collection_name(collection),
        revision,
    )
    view = application.show_computer(of)
    if as_json:
        print_json(user_documents.computer(view))
    else:
        print_line(f"computer {of} is registered, for {' '.join(view.users)}")


@commands.command("refuse", epilog="Example: corral computer refuse laptop")
def refuse_computer(
    context: typer.Context,
    name: ComputerArgument,
    *,
    revision: RevisionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Forget a computer that waits; it may ask again."""
    from corral.farm.domain.computer.computer import computer_name  # noqa: PLC0415

    refused = opening.opened(context, farm).refuse_computer(computer_name(name), revision)
    if as_json:
        print_json({"name": refused.name, "refused": True})
    else:
        print_line(f"computer {refused.name} is refused")
