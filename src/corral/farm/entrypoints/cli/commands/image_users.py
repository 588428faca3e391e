"""``corral image assign``, ``unassign``, ``users`` and ``machine``."""

from typing import Annotated

import typer

from corral.farm.entrypoints.cli import completion, opening, user_documents
from corral.farm.entrypoints.cli.commands.user import ImageArgument, StagedOption
from corral.farm.entrypoints.cli.edits import NONE, RevisionOption
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
from corral.farm.entrypoints.cli.output import human_size, print_facts, print_json, print_line

commands = typer.Typer()

UsersOption = Annotated[
    list[str] | None,
    typer.Option(
        "--user",
        metavar="USER",
        help="Name of a user; several.",
        autocompletion=completion.users,
        show_default=False,
    ),
]
UserGroupsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--group",
        metavar="GROUP",
        help="Name of a user group; several.",
        autocompletion=completion.user_groups,
        show_default=False,
    ),
]


@commands.command("assign", epilog="Example: corral image assign debian --user rboston --staged")
def assign_image(  # noqa: PLR0913 - one for each option of the command
    context: typer.Context,
    name: ImageArgument,
    *,
    user: UsersOption = None,
    group: UserGroupsOption = None,
    staged: StagedOption = False,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give users an image on their computers, or set or clear the mark of those that have it.

    With --staged they get the newest version in test; without, what is released or pinned.
    """
    from corral.farm.domain.computer.user import user_group_name, user_name  # noqa: PLC0415
    from corral.farm.domain.image.image import image_name  # noqa: PLC0415

    made = opening.opened(context, farm).assign_image(
        image_name(name),
        tuple(map(user_name, user or ())),
        tuple(map(user_group_name, group or ())),
        is_staged=staged,
    )
    if as_json:
        print_json({"image": name, "staged": staged, "assignments": [str(one.id) for one in made]})
    else:
        whom = ", ".join([*(user or ()), *(f"group {one}" for one in group or ())])
        print_line(f"image {name} is assigned to {whom}{' (staged)' if staged else ''}")


@commands.command("unassign", epilog="Example: corral image unassign debian --group sales")
def unassign_image(  # noqa: PLR0913
    context: typer.Context,
    name: ImageArgument,
    *,
    user: UsersOption = None,
    group: UserGroupsOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take an image away; it goes from their computers with what they keep on it.

    Who has it by a user group goes on having it.
    """
    from corral.farm.domain.computer.user import user_group_name, user_name  # noqa: PLC0415
    from corral.farm.domain.image.image import image_name  # noqa: PLC0415

    gone = opening.opened(context, farm).unassign_image(
        image_name(name),
        tuple(map(user_name, user or ())),
        tuple(map(user_group_name, group or ())),
    )
    if as_json:
        print_json({"image": name, "unassigned": [str(one.id) for one in gone]})
    else:
        whom = ", ".join([*(user or ()), *(f"group {one}" for one in group or ())])
        print_line(f"image {name} is taken away from {whom}")


@commands.command("users", epilog="Example: corral image users debian --filter assign=yes")
def list_image_users(  # noqa: PLR0913
    context: typer.Context,
    name: ImageArgument,
    *,
    filters: FilterOption = None,
    sort: SortOption = None,
    limit: LimitOption = None,
    after: AfterOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """List every user beside an image: what is assigned, what runs, and why they differ.

    Running is what ran at the last check-in. Keys are name, full-name, assign, staged, running,
    assigned, why, computer.
    """
    from corral.farm.application.list_machines import IMAGE_USERS  # noqa: PLC0415
    from corral.farm.domain.image.image import image_name  # noqa: PLC0415
    from corral.farm.entrypoints.cli.whys import image_user_row  # noqa: PLC0415

    wish = wish_of(filters, sort, limit, after)
    views = opening.opened(context, farm).list_image_users(image_name(name))
    page = page_of(views, IMAGE_USERS, wish)
    if as_json:
        print_page_json(page, wish, user_documents.image_user)
    else:
        print_page(
            page,
            wish,
            (
                "ASSIGN",
                "STAGED",
                "NAME",
                "FULL NAME",
                "RUNNING VERSION",
                "ASSIGNED VERSION",
                "WHY",
            ),
            image_user_row,
            empty="no users yet: corral user add",
        )


@commands.command("machine", epilog="Example: corral image machine debian --memory 4096")
def set_machine_policy(  # noqa: PLR0913
    context: typer.Context,
    name: ImageArgument,
    *,
    memory: Annotated[
        int | None, typer.Option("--memory", metavar="MIB", help="Of each.", show_default=False)
    ] = None,
    processors: Annotated[
        int | None,
        typer.Option("--processors", metavar="N", help="Of each.", show_default=False),
    ] = None,
    user_disk: Annotated[
        str | None,
        typer.Option(
            "--user-disk",
            metavar="SIZE",
            help="A disk that outlives each start, such as 20GiB; 'none' for none.",
            show_default=False,
        ),
    ] = None,
    prove_within: Annotated[
        int | None,
        typer.Option(
            "--prove-within",
            metavar="SECONDS",
            help="A new version that is not healthy by then is taken back.",
            show_default=False,
        ),
    ] = None,
    soak: Annotated[
        int | None,
        typer.Option(
            "--soak",
            metavar="SECONDS",
            help="How long it must stay healthy before it counts as proven.",
            show_default=False,
        ),
    ] = None,
    postpone: Annotated[
        int | None,
        typer.Option(
            "--postpone",
            metavar="SECONDS",
            help="How long users may put a restart off; 0 for as long as they like.",
            show_default=False,
        ),
    ] = None,
    starts_itself: Annotated[
        bool | None,
        typer.Option(
            "--starts-itself/--started-by-hand",
            help="Whether it is started with the engine.",
            show_default=False,
        ),
    ] = None,
    disabled: Annotated[
        bool | None,
        typer.Option(
            "--disable/--enable",
            help="Whether it may be started; nothing is deleted.",
            show_default=False,
        ),
    ] = None,
    revision: RevisionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say how machines of an image are run on computers; without options, show it."""
    from corral.farm.application.edits import KEEP  # noqa: PLC0415 - not for `--help`
    from corral.farm.application.set_machine_policy import PolicyEdit  # noqa: PLC0415
    from corral.farm.domain.image.image import image_name  # noqa: PLC0415
    from corral.farm.entrypoints.cli.sizes import size_bytes  # noqa: PLC0415

    of = image_name(name)
    disk = None if user_disk is None else 0 if user_disk == NONE else size_bytes(user_disk)
    wanted = PolicyEdit(
        memory_mib=KEEP if memory is None else memory,
        processors=KEEP if processors is None else processors,
        user_disk_bytes=KEEP if disk is None else disk,
        prove_within_seconds=KEEP if prove_within is None else prove_within,
        soak_seconds=KEEP if soak is None else soak,
        postpone_seconds=KEEP if postpone is None else postpone,
        starts_itself=KEEP if starts_itself is None else starts_itself,
        is_disabled=KEEP if disabled is None else disabled,
    )
    application = opening.opened(context, farm)
    if wanted == PolicyEdit():
        found = application.show_machine_policy(of)
    else:
        found = application.set_machine_policy(of, wanted, revision)
    if as_json:
        print_json(user_documents.policy(of, found))
        return
    said = found.policy
    print_facts(
        [
            ("image", of),
            ("memory", f"{said.memory_mib} MiB"),
            ("processors", str(said.processors)),
            ("user disk", human_size(said.user_disk_bytes) if said.user_disk_bytes else "none"),
            ("proves itself", f"within {said.prove_within_seconds} s"),
            ("stays healthy for", f"{said.soak_seconds} s"),
            (
                "restart put off",
                f"{said.postpone_seconds} s" if said.postpone_seconds else "as users like",
            ),
            ("starts", "with the engine" if said.starts_itself else "by hand"),
            ("may be started", "no: disabled" if said.is_disabled else "yes"),
            ("revision", str(found.revision)),
        ]
    )
