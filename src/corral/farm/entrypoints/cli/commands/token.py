"""``corral token``."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from corral.farm.entrypoints.cli import access_documents, completion, opening
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
    human_time,
    print_facts,
    print_json,
    print_line,
)

if TYPE_CHECKING:
    from corral.farm.application.issue_token import TokenView

commands = command_group("Tokens: what programs show to the API instead of a password.")


@commands.command("create", epilog="Example: corral token create ci ada --scope '*.read' --days 30")
def create_token(  # noqa: PLR0913 - one for each option of the command
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the token.", metavar="NAME")],
    account: Annotated[
        str,
        typer.Argument(
            help="Account for which it acts.",
            metavar="ACCOUNT",
            autocompletion=completion.accounts,
        ),
    ],
    *,
    scope: Annotated[
        list[str],
        typer.Option(
            "--scope",
            metavar="SCOPE",
            help="What it may: server.drain, server.*, *.read or *; several.",
        ),
    ],
    days: Annotated[
        int, typer.Option("--days", min=1, max=400, help="How many days it works.")
    ] = 90,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a token, and print it: now and never again.

    It may what its scopes say, and never more than its account may at that moment.
    """
    from corral.farm.domain.access.access_token import scopes_of, token_name  # noqa: PLC0415
    from corral.farm.domain.access.account import account_name  # noqa: PLC0415

    checked, owner, scopes = token_name(name), account_name(account), scopes_of(scope)
    application = opening.opened(context, farm)
    issued = application.issue_token(owner, checked, scopes, life=timedelta(days=days))
    if as_json:
        print_json(access_documents.issued_token(issued))
        return
    print_facts(
        [
            ("token", f"{issued.secret.reveal()} (shown now and never again)"),
            ("name", issued.kept.name),
            ("acts for", owner),
            ("scopes", " ".join(sorted(scopes))),
            ("works until", human_time(issued.kept.expires_at)),
        ]
    )


@commands.command("list", epilog="Example: corral token list --account ada")
def list_tokens(  # noqa: PLR0913
    context: typer.Context,
    *,
    account: Annotated[
        str | None,
        typer.Option(
            "--account",
            metavar="ACCOUNT",
            help="Only those of this account.",
            autocompletion=completion.accounts,
            show_default=False,
        ),
    ] = None,
    filters: FilterOption = None,
    sort: SortOption = None,
    limit: LimitOption = None,
    after: AfterOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the tokens, and the sessions of people who signed in, without their secrets.

    Keys are name, account, kind, works, scope, created, expires, revoked.
    """
    from corral.farm.application.issue_token import TOKENS  # noqa: PLC0415 - not for `--help`
    from corral.farm.domain.access.account import account_name  # noqa: PLC0415

    of = None if account is None else account_name(account)
    views = opening.opened(context, farm).list_tokens(of)
    wish = wish_of(filters, sort, limit, after)
    page = page_of(views, TOKENS, wish)
    if as_json:
        print_page_json(page, wish, access_documents.token)
    else:
        print_page(
            page,
            wish,
            ("TOKEN", "ACCOUNT", "KIND", "WORKS", "UNTIL", "SCOPES", "ID"),
            _row,
            empty="no tokens",
        )


def _row(view: "TokenView") -> tuple[str, ...]:
    return (
        view.token.name,
        view.account,
        view.token.kind.value,
        "yes" if view.works else "no",
        human_time(view.token.revoked_at or view.token.expires_at),
        "-" if view.token.scopes is None else " ".join(sorted(view.token.scopes)),
        str(view.token.id),
    )


@commands.command("revoke", epilog="Example: corral token revoke ci --account ada")
def revoke_token(
    context: typer.Context,
    token: Annotated[
        str, typer.Argument(help="Its id, or its name with --account.", metavar="TOKEN")
    ],
    *,
    account: Annotated[
        str | None,
        typer.Option(
            "--account",
            metavar="ACCOUNT",
            help="Whose it is.",
            autocompletion=completion.accounts,
            show_default=False,
        ),
    ] = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a token at once."""
    from corral.farm.domain.access.account import account_name  # noqa: PLC0415

    of = None if account is None else account_name(account)
    revoked = opening.opened(context, farm).revoke_token(token, of)
    if as_json:
        print_json({"id": str(revoked.id), "name": revoked.name, "revoked": True})
    else:
        print_line(f"token {revoked.name} opens nothing any more")
