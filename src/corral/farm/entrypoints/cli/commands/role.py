"""``corral role``."""

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
from corral.farm.entrypoints.cli.output import print_json, print_line

if TYPE_CHECKING:
    from corral.farm.application.grant_role import WantedRole
    from corral.farm.application.list_accounts import RoleView

commands = command_group("Roles: what accounts and groups may do, and where.")

WordsArgument = Annotated[
    list[str],
    typer.Argument(
        help="The account and the role; with --group the role alone.", metavar="[ACCOUNT] ROLE"
    ),
]
GroupOption = Annotated[
    str | None,
    typer.Option(
        "--group",
        metavar="GROUP",
        help="To a group instead of an account.",
        autocompletion=completion.groups,
        show_default=False,
    ),
]
SiteOption = Annotated[
    str | None,
    typer.Option(
        "--site",
        metavar="SITE",
        help="For roles over a site: which.",
        autocompletion=completion.sites,
        show_default=False,
    ),
]
CollectionOption = Annotated[
    str | None,
    typer.Option(
        "--collection",
        metavar="COLLECTION",
        help="For roles over a collection: which.",
        show_default=False,
    ),
]


@commands.command("grant", epilog="Example: corral role grant ada site-operator --site basel")
def grant_role(  # noqa: PLR0913 - one for each option of the command
    context: typer.Context,
    words: WordsArgument,
    *,
    group: GroupOption = None,
    site: SiteOption = None,
    collection: CollectionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give an account or a group a role.

    Roles are farm-, site- and collection-administrator, -operator and -reader.
    """
    wanted = _wanted(words, group, site, collection)
    opening.opened(context, farm).grant_role(wanted)
    _print(wanted, "has", as_json=as_json)


@commands.command("revoke", epilog="Example: corral role revoke ada site-operator --site basel")
def revoke_role(  # noqa: PLR0913
    context: typer.Context,
    words: WordsArgument,
    *,
    group: GroupOption = None,
    site: SiteOption = None,
    collection: CollectionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a role from an account or a group, at once."""
    wanted = _wanted(words, group, site, collection)
    opening.opened(context, farm).revoke_role(wanted)
    _print(wanted, "no longer has", as_json=as_json)


@commands.command("list", epilog="Example: corral role list")
def list_roles(  # noqa: PLR0913
    context: typer.Context,
    *,
    filters: FilterOption = None,
    sort: SortOption = None,
    limit: LimitOption = None,
    after: AfterOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say who holds which role over what.

    Keys are holder, group, role, over.
    """
    from corral.farm.application.list_accounts import ROLES  # noqa: PLC0415 - not for `--help`

    views = opening.opened(context, farm).list_roles()
    wish = wish_of(filters, sort, limit, after)
    page = page_of(views, ROLES, wish)
    if as_json:
        print_page_json(page, wish, access_documents.role)
    else:
        print_page(
            page,
            wish,
            ("HOLDER", "ROLE", "OVER"),
            _row,
            empty="nobody holds a role: corral role grant",
        )


def _row(view: "RoleView") -> tuple[str, ...]:
    holder = f"group {view.holder}" if view.is_group else view.holder
    return holder, view.role.value, view.over


def _wanted(
    words: list[str], group: str | None, site: str | None, collection: str | None
) -> "WantedRole":
    from corral.farm.application.grant_role import WantedRole  # noqa: PLC0415 - not for `--help`
    from corral.farm.domain.access.account import account_name, group_name  # noqa: PLC0415
    from corral.farm.domain.access.role_names import role_named  # noqa: PLC0415
    from corral.farm.domain.estate.collection import collection_name  # noqa: PLC0415
    from corral.farm.domain.estate.site import site_name  # noqa: PLC0415

    if len(words) != (2 if group is None else 1):
        message = "name an account and a role, or a role alone together with --group"
        raise typer.BadParameter(message)
    return WantedRole(
        role=role_named(words[-1]),
        account=account_name(words[0]) if group is None else None,
        group=None if group is None else group_name(group),
        site=None if site is None else site_name(site),
        collection=None if collection is None else collection_name(collection),
    )


def _print(wanted: "WantedRole", verb: str, *, as_json: bool) -> None:
    over = wanted.site or wanted.collection or "farm"
    if as_json:
        print_json(
            {
                "role": wanted.role.value,
                "holder": wanted.holder,
                "is_group": wanted.group is not None,
                "over": over,
                "granted": verb == "has",
            }
        )
    else:
        print_line(f"{wanted.holder} {verb} the role {wanted.role.value} over {over}")
