"""The commands of ``corral image`` that say who may start a version."""

from typing import TYPE_CHECKING, Annotated

import typer

from corral.farm.entrypoints.cli import completion, documents, opening
from corral.farm.entrypoints.cli.commands.image import ImageArgument
from corral.farm.entrypoints.cli.edits import optional_edit
from corral.farm.entrypoints.cli.opening import FarmOption, JsonOption
from corral.farm.entrypoints.cli.output import (
    human_size,
    human_time,
    print_json,
    print_line,
    print_table,
)
from corral.farm.entrypoints.cli.releases import seal_here, wait_for_release, wait_for_sealing
from corral.farm.entrypoints.cli.sizes import size_bytes

# The enums are small and pure; Typer needs them to offer and check the words.
from corral.farm.domain.image.version import Access  # isort: skip
from corral.farm.domain.image.write_cache import CacheFallback, ImageMode, WriteCache  # isort: skip

if TYPE_CHECKING:
    from corral.farm.application.verbs import Application
    from corral.farm.application.writers import OverlayView
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
    version: Annotated[
        str,
        typer.Argument(
            help="IMAGE/NUMBER; the image alone means what a device wrote over it.",
            metavar="VERSION",
            autocompletion=completion.versions,
        ),
    ],
    *,
    to: Annotated[
        Access | None,
        typer.Option(
            "--to",
            help="Who may start it.",
            show_default="production; test for what a device wrote",
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="WHEN",
            help="Not before this date, with its time and zone.",
            show_default="as soon as every server that must serve it has it",
        ),
    ] = None,
    description: Annotated[
        str,
        typer.Option(
            "--description", help="What is in it, of what a device wrote.", show_default=False
        ),
    ] = "",
    even_if_unchanged: Annotated[
        bool,
        typer.Option(
            "--even-if-unchanged",
            help="Also if the device wrote nothing.",
            show_default=False,
        ),
    ] = False,
    wait: Annotated[
        bool,
        typer.Option(
            "--wait",
            help="Wait until what a device wrote is a version, or the release is due.",
            show_default=False,
        ),
    ] = False,
    revision: RevisionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let more devices start a version; a production version that is pending gets another date."""
    from corral.farm.application.promote_version import PromotionRequest  # noqa: PLC0415
    from corral.farm.domain.image.release import release_time  # noqa: PLC0415
    from corral.farm.domain.image.version import VersionName  # noqa: PLC0415

    if to is Access.MAINTENANCE and "/" in version:
        message = "a version is promoted to test or to production: 'corral image revert' goes back"
        raise typer.BadParameter(message)
    if at is not None and to not in (None, Access.PRODUCTION):
        message = "only a release to production has a date"
        raise typer.BadParameter(message)
    moment = None if at is None else release_time(at)
    application = opening.opened(context, farm)
    if "/" not in version:
        from corral.farm.domain.image.image import image_name  # noqa: PLC0415
        from corral.farm.domain.image.overlay import Promotion  # noqa: PLC0415

        chosen = to or (Access.TEST if at is None else Access.PRODUCTION)
        view = application.promote_maintenance(
            image_name(version),
            Promotion(chosen, moment, description),
            even_if_unchanged=even_if_unchanged,
        )
        _follow_sealing(application, view, wait=wait, as_json=as_json)
        return
    name = VersionName.parse(version)
    application.promote_version(PromotionRequest(name, to or Access.PRODUCTION, moment, revision))
    if wait:
        wait_for_release(application, name, is_quiet=as_json)
    _say_where_it_stands(application, name, as_json=as_json)


def _follow_sealing(
    application: "Application", view: "OverlayView", *, wait: bool, as_json: bool
) -> None:
    version = seal_here(application, view, is_quiet=as_json)
    if version is None and wait:
        version = wait_for_sealing(application, view, is_quiet=as_json)
    if version is not None:
        _say_where_it_stands(application, version, as_json=as_json)
    elif as_json:
        print_json(documents.overlay_view(view))
    else:
        print_line(
            f"server {view.server.name} makes a version of what {view.device.name} wrote;"
            f" 'corral image show {view.image.name}' says when it is there"
        )


@commands.command("maintain", epilog="Example: corral image maintain debian --device pc1")
def maintain_image(  # noqa: PLR0913 - one for each option of the command
    context: typer.Context,
    image: ImageArgument,
    *,
    device: Annotated[
        str,
        typer.Option(
            "--device",
            metavar="DEVICE",
            help="Device that changes it, from its next start on.",
            autocompletion=completion.devices,
        ),
    ],
    server: Annotated[
        str | None,
        typer.Option(
            "--server",
            metavar="SERVER",
            help="Who keeps what it writes.",
            autocompletion=completion.servers,
            show_default="the one that the device would be sent to",
        ),
    ] = None,
    limit: Annotated[
        str | None,
        typer.Option(
            "--limit",
            metavar="SIZE",
            help="What that may take there.",
            show_default="as much as the disk is large",
        ),
    ] = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let one device change an image; 'promote' makes a version of what it wrote."""
    from corral.farm.application.maintain_image import MaintenanceRequest  # noqa: PLC0415
    from corral.farm.domain.delivery.device import device_name  # noqa: PLC0415
    from corral.farm.domain.estate.server import server_name  # noqa: PLC0415
    from corral.farm.domain.image.image import image_name  # noqa: PLC0415

    request = MaintenanceRequest(
        image=image_name(image),
        device=device_name(device),
        server=None if server is None else server_name(server),
        limit_bytes=None if limit is None else size_bytes(limit),
    )
    view = opening.opened(context, farm).maintain_image(request)
    if as_json:
        print_json(documents.overlay_view(view))
        return
    print_line(
        f"{view.device.name} writes to {view.export} on {view.server.name} from its next start on"
    )


@commands.command("discard", epilog="Example: corral image discard debian --yes")
def discard_maintenance(
    context: typer.Context,
    image: ImageArgument,
    *,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask.", show_default=False)
    ] = False,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give up what a device wrote over an image."""
    from corral.farm.domain.image.image import image_name  # noqa: PLC0415

    name = image_name(image)
    application = opening.opened(context, farm)
    if not yes:
        if as_json:
            message = (
                f"nobody is asked with --json: say --yes to give up what was written to {name}"
            )
            raise typer.BadParameter(message)
        typer.confirm(f"Give up what was written over {name} for ever?", abort=True)
    view = application.discard_maintenance(name)
    if as_json:
        print_json(documents.overlay_view(view))
    else:
        print_line(f"{view.server.name} removes what {view.device.name} wrote to {view.export}")


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
    only_server: Annotated[
        str | None,
        typer.Option(
            "--only-server",
            metavar="SERVER",
            help="The one server that its devices may use; 'none' for all that hold it.",
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
    from corral.farm.domain.estate.server import server_name  # noqa: PLC0415
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
        ImageEdit(description, mode, setting, optional_edit(only_server, server_name)),
        seen.revision if revision is None else revision,
    )
    view = application.show_image(name)
    if as_json:
        print_json(documents.image_view(view))
        return
    cache = view.image.write_cache
    limit_text = "" if cache.limit_bytes is None else f" of {human_size(cache.limit_bytes)}"
    only = "" if view.only_server is None else f"; it may be had from {view.only_server} only"
    print_line(f"{name} is {view.image.mode}, with a write cache in {cache.kind}{limit_text}{only}")


def _say_where_it_stands(application: "Application", name: "VersionName", *, as_json: bool) -> None:
    view = application.show_version(name)
    if as_json:
        print_json(documents.version_view(view))
        return
    print_line(
        f"{name} is {view.version.standing.phrase}"
        + (", pinned" if view.is_pinned else "")
        + (f": {view.wait}" if not view.wait.is_over else "")
    )
    if view.starting:
        print_line(f"started next by {len(view.starting)} devices")
