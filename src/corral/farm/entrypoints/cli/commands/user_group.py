"""``corral user-group``."""

from typing import TYPE_CHECKING, Annotated

import typer

from corral.farm.entrypoints.cli import completion, opening, user_documents
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
    from corral.farm.application.list_users import UserGroupView

commands = command_group("User groups: users whom images are assigned to together.")

UserGroupArgument = Annotated[
    str,
    typer.Argument(
        help="Name of the user group.", metavar="GROUP", autocompletion=completion.user_groups
    ),
]
MembersOption = Annotated[
    list[str] | None,
    typer.Option(
        "--member",
        metavar="USER",
        help="Who is in it; several.",
        autocompletion=completion.users,
        show_default=False,
    ),
]


@commands.command("add", epilog="Example: corral user-group add sales --member rboston")
def add_user_group(  # noqa: PLR0913 - one for each option of the command
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the user group.", metavar="NAME")],
    *,
    member: MembersOption = None,
    description: DescriptionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a user group, which has no image yet."""
    from corral.farm.domain.computer.user import user_group_name, user_name  # noqa: PLC0415

    application = opening.opened(context, farm)
    members = tuple(map(user_name, member or ()))
    group = application.add_user_group(user_group_name(name), members, description or "")
    if as_json:
        print_json(user_documents.user_group(application.show_user_group(group.name)))
    else:
        print_line(
            f"user group {group.name} is there: 'corral image assign IMAGE --group {group.name}'"
        )


@commands.command("list", epilog="Example: corral user-group list --filter member=rboston")
def list_user_groups(  # noqa: PLR0913
    context: typer.Context,
    *,
    filters: FilterOption = None,
    sort: SortOption = None,
    limit: LimitOption = None,
    after: AfterOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the user groups with their members and images.

    Keys are name, description, member, members, image.
    """
    from corral.farm.application.list_users import USER_GROUPS  # noqa: PLC0415

    views = opening.opened(context, farm).list_user_groups()
    wish = wish_of(filters, sort, limit, after)
    page = page_of(views, USER_GROUPS, wish)
    if as_json:
        print_page_json(page, wish, user_documents.user_group)
    else:
        print_page(
            page,
            wish,
            ("USER GROUP", "MEMBERS", "IMAGES", "DESCRIPTION"),
            _row,
            empty="no user groups yet: corral user-group add",
        )


def _row(view: "UserGroupView") -> tuple[str, ...]:
    return (
        view.group.name,
        " ".join(view.members),
        " ".join(view.images),
        view.group.description,
    )


@commands.command("show", epilog="Example: corral user-group show sales")
def show_user_group(
    context: typer.Context,
    name: UserGroupArgument,
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a user group, its members and its images."""
    from corral.farm.domain.computer.user import user_group_name  # noqa: PLC0415

    view = opening.opened(context, farm).show_user_group(user_group_name(name))
    if as_json:
        print_json(user_documents.user_group(view))
        return
    print_facts(
        [
            ("user group", view.group.name),
            ("description", view.group.description),
            ("members", " ".join(view.members) or "none"),
            ("images", " ".join(view.images) or "none: corral image assign --group"),
            ("revision", str(view.group.revision)),
        ]
    )


@commands.command(
    "change", epilog="Example: corral user-group change sales --add rboston --drop bsmith"
)
def change_user_group(  # noqa: PLR0913
    context: typer.Context,
    name: UserGroupArgument,
    *,
    add: Annotated[
        list[str] | None,
        typer.Option("--add", metavar="USER", help="Who comes in.", show_default=False),
    ] = None,
    drop: Annotated[
        list[str] | None,
        typer.Option("--drop", metavar="USER", help="Who goes out.", show_default=False),
    ] = None,
    description: DescriptionOption = None,
    revision: RevisionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change who is in a user group; who goes out loses what they have by it alone."""
    from corral.farm.domain.computer.user import user_group_name, user_name  # noqa: PLC0415

    application = opening.opened(context, farm)
    group = application.change_user_group(
        user_group_name(name),
        add=tuple(map(user_name, add or ())),
        remove=tuple(map(user_name, drop or ())),
        description=description,
        revision=revision,
    )
    if as_json:
        print_json(user_documents.user_group(application.show_user_group(group.name)))
    else:
        print_line(f"user group {group.name} is as you said")


@commands.command("remove", epilog="Example: corral user-group remove sales")
def remove_user_group(
    context: typer.Context,
    name: UserGroupArgument,
    *,
    revision: RevisionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove a user group; its members lose what they have by it alone."""
    from corral.farm.domain.computer.user import user_group_name  # noqa: PLC0415

    application = opening.opened(context, farm)
    removed = application.remove_user_group(user_group_name(name), revision)
    if as_json:
        print_json({"name": removed.name, "removed": True})
    else:
        print_line(f"user group {removed.name} is removed")
