"""``corral group``."""

from typing import TYPE_CHECKING, Annotated

import typer

from corral.farm.entrypoints.cli import access_documents, completion, opening
from corral.farm.entrypoints.cli.commands.account import role_text
from corral.farm.entrypoints.cli.edits import DescriptionOption, RevisionOption
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
from corral.farm.entrypoints.cli.output import print_facts, print_json, print_line

if TYPE_CHECKING:
    from corral.farm.application.list_accounts import GroupView

commands = command_group("Groups: accounts that hold roles together.")

GroupArgument = Annotated[
    str,
    typer.Argument(help="Name of the group.", metavar="GROUP", autocompletion=completion.groups),
]
MembersOption = Annotated[
    list[str] | None,
    typer.Option(
        "--member",
        metavar="ACCOUNT",
        help="Who is in it; several.",
        autocompletion=completion.accounts,
        show_default=False,
    ),
]


@commands.command("add", epilog="Example: corral group add operations --member ada --member bob")
def add_group(  # noqa: PLR0913 - one for each option of the command
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the group.", metavar="NAME")],
    *,
    member: MembersOption = None,
    description: DescriptionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a group; it holds no role yet."""
    from corral.farm.domain.access.account import account_name, group_name  # noqa: PLC0415

    application = opening.opened(context, farm)
    members = tuple(map(account_name, member or ()))
    group = application.add_group(group_name(name), members, description or "")
    if as_json:
        print_json(access_documents.group(application.show_group(group.name)))
    else:
        print_line(f"group {group.name} is there: 'corral role grant --group {group.name} ROLE'")


@commands.command("list", epilog="Example: corral group list")
def list_groups(  # noqa: PLR0913
    context: typer.Context,
    *,
    filters: FilterOption = None,
    sort: SortOption = None,
    limit: LimitOption = None,
    after: AfterOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the groups with their members and roles.

    Keys are name, description, member, members, role.
    """
    from corral.farm.application.list_accounts import GROUPS  # noqa: PLC0415 - not for `--help`

    views = opening.opened(context, farm).list_groups()
    wish = wish_of(filters, sort, limit, after)
    page = page_of(views, GROUPS, wish)
    if as_json:
        print_page_json(page, wish, access_documents.group)
    else:
        print_page(
            page,
            wish,
            ("GROUP", "MEMBERS", "ROLES", "DESCRIPTION"),
            _row,
            empty="no groups yet: corral group add",
        )


def _row(view: "GroupView") -> tuple[str, ...]:
    return (
        view.group.name,
        " ".join(view.members),
        ", ".join(map(role_text, view.roles)),
        view.group.description,
    )


@commands.command("show", epilog="Example: corral group show operations")
def show_group(
    context: typer.Context,
    name: GroupArgument,
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a group, its members and its roles."""
    from corral.farm.domain.access.account import group_name  # noqa: PLC0415

    view = opening.opened(context, farm).show_group(group_name(name))
    if as_json:
        print_json(access_documents.group(view))
        return
    print_facts(
        [
            ("group", view.group.name),
            ("description", view.group.description),
            ("members", " ".join(view.members) or "none"),
            ("roles", ", ".join(map(role_text, view.roles)) or "none: corral role grant --group"),
            ("revision", str(view.group.revision)),
        ]
    )


@commands.command("change", epilog="Example: corral group change operations --add ada --drop bob")
def change_group(  # noqa: PLR0913
    context: typer.Context,
    name: GroupArgument,
    *,
    add: Annotated[
        list[str] | None,
        typer.Option("--add", metavar="ACCOUNT", help="Who comes in.", show_default=False),
    ] = None,
    drop: Annotated[
        list[str] | None,
        typer.Option("--drop", metavar="ACCOUNT", help="Who goes out.", show_default=False),
    ] = None,
    description: DescriptionOption = None,
    revision: RevisionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change who is in a group, and what it is for."""
    from corral.farm.domain.access.account import account_name, group_name  # noqa: PLC0415

    application = opening.opened(context, farm)
    group = application.change_group(
        group_name(name),
        add=tuple(map(account_name, add or ())),
        remove=tuple(map(account_name, drop or ())),
        description=description,
        revision=revision,
    )
    if as_json:
        print_json(access_documents.group(application.show_group(group.name)))
    else:
        print_line(f"group {group.name} is as you said")


@commands.command("remove", epilog="Example: corral group remove operations")
def remove_group(
    context: typer.Context,
    name: GroupArgument,
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove a group; its members lose the roles that they had by it."""
    from corral.farm.domain.access.account import group_name  # noqa: PLC0415

    removed = opening.opened(context, farm).remove_group(group_name(name))
    if as_json:
        print_json({"name": removed.name, "removed": True})
    else:
        print_line(f"group {removed.name} is removed")
