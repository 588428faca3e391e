"""``corral user``."""

from typing import TYPE_CHECKING, Annotated

import typer

from corral.farm.entrypoints.cli import completion, opening, user_documents
from corral.farm.entrypoints.cli.edits import DescriptionOption, RevisionOption, edit
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
from corral.farm.entrypoints.cli.output import human_time, print_facts, print_json, print_line

if TYPE_CHECKING:
    from corral.farm.application.list_users import UserView

commands = command_group("Users: persons whom images are assigned to.")

UserArgument = Annotated[
    str,
    typer.Argument(help="Name of the user.", metavar="USER", autocompletion=completion.users),
]
FullNameOption = Annotated[
    str | None,
    typer.Option("--full-name", metavar="TEXT", help="How they are called.", show_default=False),
]
ImageArgument = Annotated[
    str,
    typer.Argument(help="Name of the image.", metavar="IMAGE", autocompletion=completion.images),
]
StagedOption = Annotated[
    bool,
    typer.Option(
        "--staged", help="The newest version in test, not what is released.", show_default=False
    ),
]


@commands.command("add", epilog="Example: corral user add rboston --full-name 'Roger Boston'")
def add_user(  # noqa: PLR0913 - one for each option of the command
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the user.", metavar="NAME")],
    *,
    full_name: FullNameOption = None,
    description: DescriptionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a user, who has no image yet."""
    from corral.farm.domain.computer.user import user_name  # noqa: PLC0415 - not for `--help`

    application = opening.opened(context, farm)
    user = application.add_user(user_name(name), full_name or "", description or "")
    if as_json:
        print_json(user_documents.user(application.show_user(user.name)))
    else:
        print_line(f"user {user.name} is there: 'corral image assign IMAGE --user {user.name}'")


@commands.command("list", epilog="Example: corral user list --filter group=sales")
def list_users(  # noqa: PLR0913
    context: typer.Context,
    *,
    filters: FilterOption = None,
    sort: SortOption = None,
    limit: LimitOption = None,
    after: AfterOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the users with what they are in, use and have.

    Keys are name, full-name, description, group, computer, image, created.
    """
    from corral.farm.application.list_users import USERS  # noqa: PLC0415 - not for `--help`

    views = opening.opened(context, farm).list_users()
    wish = wish_of(filters, sort, limit, after)
    page = page_of(views, USERS, wish)
    if as_json:
        print_page_json(page, wish, user_documents.user)
    else:
        print_page(
            page,
            wish,
            ("USER", "FULL NAME", "GROUPS", "COMPUTERS", "IMAGES", "DESCRIPTION"),
            _row,
            empty="no users yet: corral user add",
        )


def _row(view: "UserView") -> tuple[str, ...]:
    return (
        view.user.name,
        view.user.full_name,
        " ".join(view.groups),
        " ".join(view.computers),
        " ".join(view.images),
        view.user.description,
    )


@commands.command("show", epilog="Example: corral user show rboston")
def show_user(
    context: typer.Context,
    name: UserArgument,
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a user."""
    from corral.farm.domain.computer.user import user_name  # noqa: PLC0415

    view = opening.opened(context, farm).show_user(user_name(name))
    if as_json:
        print_json(user_documents.user(view))
        return
    print_facts(
        [
            ("user", view.user.name),
            ("full name", view.user.full_name),
            ("description", view.user.description),
            ("created", human_time(view.user.created_at)),
            ("user groups", " ".join(view.groups) or "none"),
            ("computers", " ".join(view.computers) or "none: corral computer code"),
            ("images", " ".join(view.images) or "none: corral image assign"),
            ("revision", str(view.user.revision)),
        ]
    )


@commands.command("change", epilog="Example: corral user change rboston --full-name 'R. Boston'")
def change_user(  # noqa: PLR0913
    context: typer.Context,
    name: UserArgument,
    *,
    full_name: FullNameOption = None,
    description: DescriptionOption = None,
    revision: RevisionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change how a user is called, and what is written about them."""
    from corral.farm.application.edit_users import UserEdit  # noqa: PLC0415
    from corral.farm.domain.computer.user import user_name  # noqa: PLC0415

    application = opening.opened(context, farm)
    wanted = UserEdit(full_name=edit(full_name, str), description=edit(description, str))
    user = application.change_user(user_name(name), wanted, revision)
    if as_json:
        print_json(user_documents.user(application.show_user(user.name)))
    else:
        print_line(f"user {user.name} is as you said")


@commands.command("remove", epilog="Example: corral user remove rboston")
def remove_user(
    context: typer.Context,
    name: UserArgument,
    *,
    revision: RevisionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove a user who uses no computer any more."""
    from corral.farm.domain.computer.user import user_name  # noqa: PLC0415

    removed = opening.opened(context, farm).remove_user(user_name(name), revision)
    if as_json:
        print_json({"name": removed.name, "removed": True})
    else:
        print_line(f"user {removed.name} is removed")


@commands.command("assign", epilog="Example: corral user assign rboston debian --staged")
def assign_image(  # noqa: PLR0913
    context: typer.Context,
    name: UserArgument,
    image: ImageArgument,
    *,
    staged: StagedOption = False,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Assign an image to a user: the same as 'corral image assign', from the other side."""
    from corral.farm.domain.computer.user import user_name  # noqa: PLC0415
    from corral.farm.domain.image.image import image_name  # noqa: PLC0415

    application = opening.opened(context, farm)
    application.assign_image(image_name(image), [user_name(name)], is_staged=staged)
    if as_json:
        print_json(user_documents.user(application.show_user(user_name(name))))
    else:
        print_line(f"user {name} has image {image}{' (staged)' if staged else ''}")


@commands.command("unassign", epilog="Example: corral user unassign rboston debian")
def unassign_image(
    context: typer.Context,
    name: UserArgument,
    image: ImageArgument,
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take an image away from a user; it goes from their computers with what they keep on it."""
    from corral.farm.domain.computer.user import user_name  # noqa: PLC0415
    from corral.farm.domain.image.image import image_name  # noqa: PLC0415

    application = opening.opened(context, farm)
    application.unassign_image(image_name(image), [user_name(name)])
    if as_json:
        print_json(user_documents.user(application.show_user(user_name(name))))
    else:
        print_line(f"image {image} is taken away from user {name}")


@commands.command("images", epilog="Example: corral user images rboston")
def list_user_images(  # noqa: PLR0913
    context: typer.Context,
    name: UserArgument,
    *,
    filters: FilterOption = None,
    sort: SortOption = None,
    limit: LimitOption = None,
    after: AfterOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what a user has, what runs of it on each of their computers, and why they differ.

    Keys are image, user, computer, staged, mode, running, assigned, why, state.
    """
    from corral.farm.application.list_machines import MACHINES  # noqa: PLC0415
    from corral.farm.domain.computer.user import user_name  # noqa: PLC0415
    from corral.farm.entrypoints.cli.whys import machine_row  # noqa: PLC0415

    wish = wish_of(filters, sort, limit, after)
    views = opening.opened(context, farm).list_user_images(user_name(name))
    page = page_of(views, MACHINES, wish)
    if as_json:
        print_page_json(page, wish, user_documents.machine)
    else:
        print_page(
            page,
            wish,
            ("IMAGE", "USER", "COMPUTER", "STAGED", "RUNNING VERSION", "ASSIGNED VERSION", "WHY"),
            machine_row,
            empty=f"{name} has no image: corral image assign IMAGE --user {name}",
        )
