"""The commands of ``corral image`` that say who may start a version."""

from typing import TYPE_CHECKING, Annotated

import typer

from corral.farm.entrypoints.cli import completion, documents, opening
from corral.farm.entrypoints.cli.commands.image import ImageArgument
from corral.farm.entrypoints.cli.opening import FarmOption, JsonOption
from corral.farm.entrypoints.cli.output import (
    human_size,
    human_time,
    print_json,
    print_line,
    print_table,
)
from corral.farm.entrypoints.cli.sizes import size_bytes

# The enums are small and pure; Typer needs them to offer and check the words.
from corral.farm.domain.image.version import Access  # isort: skip
from corral.farm.domain.image.write_cache import CacheFallback, ImageMode, WriteCache  # isort: skip

if TYPE_CHECKING:
    from corral.farm.bootstrap import Application
    from corral.farm.domain.image.version import VersionName

commands = typer.Typer()
"""They stand among those of :mod:`.image`."""

NumberedArgument = Annotated[
    str,
    typer.Argument(help="IMAGE/NUMBER.", metavar="VERSION", autocompletion=completion.versions),
]
RevisionOption = Annotated[
    int | None,
    typer.Option(
        "--revision",
        metavar="N",
        help="Refuse if it was changed since it was at revision N.",
        show_default=False,
    ),
]


@commands.command(
    "promote", epilog="Example: corral image promote debian/3 --at 2026-12-01T20:00+01:00"
)
def promote_version(  # noqa: PLR0913 - one for each option of the command
    context: typer.Context,
    version: NumberedArgument,
    *,
    to: Annotated[
        Access, typer.Option("--to", help="Who may start it: test, or production.")
    ] = Access.PRODUCTION,
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="WHEN",
            help="Not before this date, with its time and zone.",
            show_default="as soon as every server that must serve it has it",
        ),
    ] = None,
    revision: RevisionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let more devices start a version; a production version that is pending gets another date."""
    from corral.farm.application.promote_version import PromotionRequest  # noqa: PLC0415
    from corral.farm.domain.image.release import release_time  # noqa: PLC0415
    from corral.farm.domain.image.version import VersionName  # noqa: PLC0415

    if to is Access.MAINTENANCE:
        message = "a version is promoted to test or to production: 'corral image revert' goes back"
        raise typer.BadParameter(message)
    if at is not None and to is not Access.PRODUCTION:
        message = "only a release to production has a date"
        raise typer.BadParameter(message)
    request = PromotionRequest(
        version=VersionName.parse(version),
        to=to,
        release_at=None if at is None else release_time(at),
        revision=revision,
    )
    application = opening.opened(context, farm)
    application.promote_version(request)
    _say_where_it_stands(application, request.version, as_json=as_json)


@commands.command("release", epilog="Example: corral image release debian/3")
def release_version(
    context: typer.Context,
    version: NumberedArgument,
    *,
    revision: RevisionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Release a pending version now, whatever its date and whichever servers lack some of it."""
    from corral.farm.domain.image.version import VersionName  # noqa: PLC0415

    name = VersionName.parse(version)
    application = opening.opened(context, farm)
    application.release_version(name, revision)
    _say_where_it_stands(application, name, as_json=as_json)


@commands.command("revert", epilog="Example: corral image revert debian/3 --to test")
def revert_version(  # noqa: PLR0913 - one for each option of the command
    context: typer.Context,
    version: NumberedArgument,
    *,
    to: Annotated[
        Access, typer.Option("--to", help="Who may still start it: test, or maintenance.")
    ],
    revision: RevisionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take the newest version back to test or maintenance, or a retired one back to test."""
    from corral.farm.domain.image.version import VersionName  # noqa: PLC0415

    if to is Access.PRODUCTION:
        message = "a version is reverted to test or to maintenance: 'corral image promote' goes on"
        raise typer.BadParameter(message)
    name = VersionName.parse(version)
    application = opening.opened(context, farm)
    application.revert_version(name, to, revision)
    _say_where_it_stands(application, name, as_json=as_json)


@commands.command("retire", epilog="Example: corral image retire debian/1")
def retire_version(
    context: typer.Context,
    version: NumberedArgument,
    *,
    revision: RevisionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have no device start a version any more; those that run it go on."""
    from corral.farm.domain.image.version import VersionName  # noqa: PLC0415

    name = VersionName.parse(version)
    application = opening.opened(context, farm)
    application.retire_version(name, revision)
    _say_where_it_stands(application, name, as_json=as_json)


@commands.command("pin", epilog="Example: corral image pin debian/2")
def pin_version(
    context: typer.Context,
    version: NumberedArgument,
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have production devices start this version, whatever is released later."""
    from corral.farm.domain.image.version import VersionName  # noqa: PLC0415

    name = VersionName.parse(version)
    application = opening.opened(context, farm)
    application.pin_version(name)
    _say_where_it_stands(application, name, as_json=as_json)


@commands.command("unpin", epilog="Example: corral image unpin debian")
def unpin_image(
    context: typer.Context,
    image: ImageArgument,
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have production devices start the newest released version again."""
    from corral.farm.domain.image.image import image_name  # noqa: PLC0415

    application = opening.opened(context, farm)
    name = application.unpin_image(image_name(image)).name
    view = application.show_image(name)
    if as_json:
        print_json(documents.image_view(view))
        return
    newest = "nothing" if view.newest is None else str(view.newest.name)
    print_line(f"production devices of {name} start {newest} from now on")


@commands.command("describe", epilog="Example: corral image describe debian/3 'with Firefox 140'")
def describe_version(  # noqa: PLR0913 - one for each option of the command
    context: typer.Context,
    version: NumberedArgument,
    text: Annotated[str, typer.Argument(help="What is in this version.", metavar="TEXT")],
    *,
    revision: RevisionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what is in a version."""
    from corral.farm.domain.image.version import VersionName  # noqa: PLC0415

    name = VersionName.parse(version)
    application = opening.opened(context, farm)
    application.describe_version(name, text, revision)
    _say_where_it_stands(application, name, as_json=as_json)


@commands.command("history", epilog="Example: corral image history debian/3")
def show_history(
    context: typer.Context,
    version: NumberedArgument,
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what was done to a version, when and by whom."""
    from corral.farm.domain.image.version import VersionName  # noqa: PLC0415

    name = VersionName.parse(version)
    changes = opening.opened(context, farm).show_version_history(name)
    if as_json:
        print_json([documents.version_change(name, change) for change in changes])
        return
    print_table(
        "",
        ("WHEN", "WHO", "WHAT", "NOTE"),
        ((human_time(one.at), one.by, one.what, one.note) for one in changes),
        empty=f"nothing is known of {name}: it was published by an earlier release",
    )


@commands.command(
    "set", epilog="Example: corral image set debian --write-cache device-disk --cache-limit 8GiB"
)
def change_image(  # noqa: PLR0913 - one for each option of the command
    context: typer.Context,
    image: ImageArgument,
    *,
    description: Annotated[
        str | None, typer.Option("--description", help="What it is.", show_default=False)
    ] = None,
    mode: Annotated[
        ImageMode | None,
        typer.Option(
            "--mode",
            help="shared: many devices, which lose what they write. custom: one, which keeps it.",
            show_default=False,
        ),
    ] = None,
    write_cache: Annotated[
        WriteCache | None,
        typer.Option(
            "--write-cache", help="Where its devices keep what they write.", show_default=False
        ),
    ] = None,
    cache_limit: Annotated[
        str | None,
        typer.Option(
            "--cache-limit",
            metavar="SIZE",
            help="How much they may write; 'none' for no limit of the image's own.",
            show_default=False,
        ),
    ] = None,
    cache_fallback: Annotated[
        CacheFallback | None,
        typer.Option(
            "--cache-fallback",
            help="What a device does whose cache disk is missing.",
            show_default=False,
        ),
    ] = None,
    revision: RevisionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change an image: what it says, for how many devices it is, where they write."""
    from dataclasses import replace  # noqa: PLC0415

    from corral.farm.application.change_image import ImageEdit  # noqa: PLC0415
    from corral.farm.domain.image.image import image_name  # noqa: PLC0415

    name = image_name(image)
    limit = None if cache_limit in (None, "none") else size_bytes(cache_limit)
    application = opening.opened(context, farm)
    seen = application.show_image(name).image
    setting = seen.write_cache
    if write_cache is not None:
        setting = replace(setting, kind=write_cache)
    if cache_limit is not None:
        setting = replace(setting, limit_bytes=limit)
    if cache_fallback is not None:
        setting = replace(setting, fallback=cache_fallback)
    application.change_image(
        name,
        ImageEdit(description, mode, setting),
        seen.revision if revision is None else revision,
    )
    view = application.show_image(name)
    if as_json:
        print_json(documents.image_view(view))
        return
    cache = view.image.write_cache
    limit_text = "" if cache.limit_bytes is None else f" of {human_size(cache.limit_bytes)}"
    print_line(f"{name} is {view.image.mode}, with a write cache in {cache.kind}{limit_text}")


def _say_where_it_stands(application: "Application", name: "VersionName", *, as_json: bool) -> None:
    view = application.show_version(name)
    if as_json:
        print_json(documents.version_view(view))
        return
    print_line(
        f"{name} is in {view.version.standing}"
        + (", pinned" if view.is_pinned else "")
        + (f": {view.wait}" if not view.wait.is_over else "")
    )
    if view.starting:
        print_line(f"started next by {len(view.starting)} devices")
