"""``corral image``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from corral.farm.domain.naming import some_of
from corral.farm.entrypoints.cli import completion, documents, opening
from corral.farm.entrypoints.cli.failures import ExitCode
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
    human_size,
    human_time,
    print_facts,
    print_json,
    print_line,
    print_table,
)
from corral.farm.entrypoints.cli.overlays import overlay_line
from corral.farm.entrypoints.cli.ways_out import print_ways_out

# The enum is small and pure; Typer needs it to offer and check the words.
from corral.farm.application.ports.disk_files import DiskFormat  # isort: skip
from corral.farm.domain.image.version import Access  # isort: skip

if TYPE_CHECKING:
    from corral.farm.application.import_image import ImportOutcome
    from corral.farm.application.list_images import ImageView, VersionView
    from corral.farm.application.verbs import Application
    from corral.farm.domain.image.version import VersionName
    from corral.farm.domain.task.task import Argument

commands = command_group("Images and their versions.")

ImageArgument = Annotated[
    str,
    typer.Argument(help="Name of the image.", metavar="IMAGE", autocompletion=completion.images),
]
VersionArgument = Annotated[
    str,
    typer.Argument(
        help="IMAGE/NUMBER; the image alone means its newest version.",
        metavar="VERSION",
        autocompletion=completion.versions,
    ),
]
ServerOption = Annotated[
    str | None,
    typer.Option(
        "--server",
        metavar="SERVER",
        help="Whose store is used.",
        autocompletion=completion.servers,
        show_default="the first that fits",
    ),
]


def version_named(application: "Application", text: str) -> "VersionName":
    """Read ``debian/3``, or take ``debian`` for its newest version."""
    from corral.farm.domain.delivery.errors import ImageWithoutVersionError  # noqa: PLC0415
    from corral.farm.domain.image.image import image_name  # noqa: PLC0415
    from corral.farm.domain.image.version import VersionName  # noqa: PLC0415

    if "/" in text:
        return VersionName.parse(text)
    view = application.show_image(image_name(text))
    if view.newest is None:
        raise ImageWithoutVersionError(view.image.name)
    return view.newest.name


@commands.command(
    "import", epilog="Example: corral image import debian disk.qcow2 --description 'with Firefox'"
)
def import_image(  # noqa: PLR0913 - one for each option of the command
    context: typer.Context,
    image: ImageArgument,
    path: Annotated[
        Path, typer.Argument(help="Disk image: raw, qcow2, VHD, VHDX, VMDK or VDI.", metavar="FILE")
    ],
    *,
    disk_format: Annotated[
        DiskFormat | None,
        typer.Option("--format", help="Format of the file.", show_default="looked at"),
    ] = None,
    server: ServerOption = None,
    description: Annotated[
        str, typer.Option("--description", help="What is in this version.", show_default=False)
    ] = "",
    new: Annotated[
        bool, typer.Option("--new", help="Refuse if the image exists.", show_default=False)
    ] = False,
    even_if_unchanged: Annotated[
        bool,
        typer.Option(
            "--even-if-unchanged",
            help="Publish even if the newest version is the same.",
            show_default=False,
        ),
    ] = False,
    detach: Annotated[
        bool,
        typer.Option(
            "--detach", help="Queue it for a worker, and do not wait.", show_default=False
        ),
    ] = False,
    to: Annotated[Access, typer.Option("--to", help="Who may start it.")] = Access.PRODUCTION,
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="WHEN",
            help="Not released before this date, with its time and zone.",
            show_default="as soon as every server that must serve it has it",
        ),
    ] = None,
    guest_tools: Annotated[
        str | None,
        typer.Option(
            "--guest-tools",
            metavar="RELEASE",
            help="Release of the guest tools in it; engines bring newer ones.",
            show_default="not known",
        ),
    ] = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import a disk and publish it as the next version of an image, new or existing."""
    from corral.farm.application.image_tasks import tell_import  # noqa: PLC0415
    from corral.farm.application.import_image import ImportRequest  # noqa: PLC0415
    from corral.farm.domain.estate.server import server_name  # noqa: PLC0415
    from corral.farm.domain.image.image import image_name  # noqa: PLC0415
    from corral.farm.domain.image.release import release_time  # noqa: PLC0415
    from corral.farm.domain.library.release import Release  # noqa: PLC0415
    from corral.farm.entrypoints.cli.commands.task import print_queued  # noqa: PLC0415
    from corral.farm.entrypoints.cli.recorded import run_recorded  # noqa: PLC0415

    if at is not None and to is not Access.PRODUCTION:
        message = "only a release to production has a date"
        raise typer.BadParameter(message)
    request = ImportRequest(
        image=image_name(image),
        path=path.absolute(),
        format=disk_format,
        server=None if server is None else server_name(server),
        description=description,
        must_be_new=new,
        even_if_unchanged=even_if_unchanged,
        to=to,
        release_at=None if at is None else release_time(at),
        guest_tools=None if guest_tools is None else Release.parse(guest_tools),
    )
    arguments: dict[str, Argument] = {
        "image": image,
        "path": str(path.absolute()),
        "format": disk_format or "",
        "server": server or "",
        "description": description,
        "new": new,
        "even_if_unchanged": even_if_unchanged,
        "to": to.value,
        "at": at or "",
        "guest_tools": guest_tools or "",
    }
    application = opening.opened(context, farm)
    if detach:
        print_queued(application, application.start_task("import", arguments), as_json=as_json)
        return
    outcome = run_recorded(
        application,
        "import",
        arguments,
        lambda progress: application.import_image(request, progress),
        title=f"import {image}",
        says=tell_import,
        is_quiet=as_json,
    )
    if as_json:
        print_json(documents.import_outcome(outcome))
    else:
        _print_outcome(outcome)


def _print_outcome(outcome: "ImportOutcome") -> None:
    version, disk, changed = outcome.version, outcome.disk, outcome.changed
    if not outcome.is_published:
        print_line(
            f"nothing changed: {version.name} has the same content, nothing was published"
            " (--even-if-unchanged does it anyway)"
        )
        return
    facts = [
        ("published", str(version.name)),
        ("standing", version.standing.value),
        ("root", version.root.hex),
        ("size", human_size(version.size_bytes)),
        ("chunks", f"{disk.chunks}, of which {disk.zero_chunks} are zeros"),
        ("stored", f"{disk.new_chunks} new chunks, {human_size(disk.stored_bytes)}"),
    ]
    if changed is not None:
        facts.append(
            ("changed", f"{changed.changed_chunks} chunks, {human_size(changed.changed_bytes)}")
        )
    print_facts(facts)


@commands.command("list", epilog="Example: corral image list --sort -devices")
def list_images(  # noqa: PLR0913 - one for each option of the command
    context: typer.Context,
    *,
    filters: FilterOption = None,
    sort: SortOption = None,
    limit: LimitOption = None,
    after: AfterOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the images; keys are name, description, newest, versions, devices, created, republish.

    Those whose guest tools are older than the farm's are found by republish=needed.
    """
    from corral.farm.application.list_images import IMAGES  # noqa: PLC0415 - not for `--help`

    wish = wish_of(filters, sort, limit, after)
    page = page_of(opening.opened(context, farm).list_images(), IMAGES, wish)
    if as_json:
        print_page_json(page, wish, documents.image_view)
        return
    print_page(
        page,
        wish,
        ("IMAGE", "NEWEST", "ROOT", ">SIZE", ">VERSIONS", ">DEVICES", "PUBLISHED"),
        _row,
        empty="no images yet: corral image import",
    )


def _row(view: "ImageView") -> tuple[str, ...]:
    newest = view.newest
    return (
        view.image.name + (" (busy)" if view.is_busy else "") + _republish_mark(view),
        ("-" if view.versions else "none left") if newest is None else str(newest.name),
        "-" if newest is None else newest.root.short,
        "-" if newest is None else human_size(newest.size_bytes),
        str(len(view.versions)),
        str(view.device_count),
        human_time(None if newest is None else newest.published_at),
    )


def _republish_mark(view: "ImageView") -> str:
    return "" if view.older_tools is None else " (republish needed)"


@commands.command("versions", epilog="Example: corral image versions --filter access=test")
def list_versions(  # noqa: PLR0913
    context: typer.Context,
    *,
    filters: FilterOption = None,
    sort: SortOption = None,
    limit: LimitOption = None,
    after: AfterOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the versions of all images.

    Keys are name, image, number, root, access, state, size, published, description, server.
    """
    from corral.farm.application.list_images import VERSIONS, all_versions  # noqa: PLC0415

    wish = wish_of(filters, sort, limit, after)
    page = page_of(all_versions(opening.opened(context, farm).list_images()), VERSIONS, wish)
    if as_json:
        print_page_json(page, wish, documents.version_view)
        return
    print_page(
        page,
        wish,
        ("VERSION", "ROOT", ">SIZE", "ACCESS", "STATE", "PUBLISHED", "ON", "DESCRIPTION"),
        _version_row,
        empty="no versions yet: corral image import",
    )


def _version_row(view: "VersionView") -> tuple[str, ...]:
    version = view.version
    return (
        str(version.name),
        version.root.short,
        human_size(version.size_bytes),
        version.access.value,
        version.state.value,
        human_time(version.published_at),
        " ".join(one.server.name for one in view.replicas),
        version.description,
    )


@commands.command("show", epilog="Example: corral image show debian")
def show_image(
    context: typer.Context,
    image: ImageArgument,
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show an image, its versions, and the servers that hold them."""
    from corral.farm.domain.image.image import image_name  # noqa: PLC0415 - not for `--help`

    view = opening.opened(context, farm).show_image(image_name(image))
    if as_json:
        print_json(documents.image_view(view))
        return
    print_facts(
        [
            ("image", view.image.name),
            ("created", human_time(view.image.created_at)),
            ("mode", view.image.mode.value),
            ("write cache", view.image.write_cache.kind.value),
            ("pinned", "no" if view.image.pinned is None else f"{image}/{view.image.pinned}"),
            ("had from", f"{view.only_server or 'every server that holds it'}"),
            *(("written", overlay_line(one)) for one in view.overlays),
            ("devices", str(view.device_count)),
            *(
                ()
                if view.older_tools is None
                else (("republish needed", f"{view.older_tools}: corral image republish {image}"),)
            ),
            ("busy", "yes" if view.is_busy else "no"),
        ]
    )
    print_table(
        "",
        (
            *("VERSION", "ROOT", ">SIZE", "STANDING", "PUBLISHED", "SERVERS"),
            *("RUN BY", "STARTED BY", "DESCRIPTION"),
        ),
        (
            (
                str(one.version.name),
                one.version.root.short,
                human_size(one.version.size_bytes),
                standing_of(one),
                human_time(one.version.published_at),
                ", ".join(f"{r.server.name}: {r.replica.state}" for r in one.replicas) or "-",
                some_of(one.running) or "-",
                some_of(one.starting) or "-",
                one.version.description,
            )
            for one in view.versions
        ),
        empty=f"it has no versions: 'corral image import {image} DISK' publishes {image}/"
        f"{view.image.last_number + 1}, 'corral image remove {image}' takes it away",
    )
    if any(one.wait.silent for one in view.versions):
        print_ways_out()


def standing_of(view: "VersionView") -> str:
    """Say where a version stands, and why it does not go on."""
    pinned = " (pinned)" if view.is_pinned else ""
    waits = "" if view.wait.is_over else f": {view.wait}"
    return f"{view.version.standing}{pinned}{waits}"


@commands.command("verify", epilog="Example: corral image verify debian/2 --server s2")
def verify_version(
    context: typer.Context,
    version: VersionArgument,
    *,
    server: ServerOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check a version's signature and every chunk of it in a store (exit code 5 if damaged)."""
    from corral.farm.application.store_tasks import tell_version  # noqa: PLC0415
    from corral.farm.domain.estate.server import server_name  # noqa: PLC0415 - not for `--help`
    from corral.farm.domain.image.errors import VersionDamagedError  # noqa: PLC0415
    from corral.farm.entrypoints.cli.recorded import run_recorded  # noqa: PLC0415

    application = opening.opened(context, farm)
    name = version_named(application, version)
    wanted = None if server is None else server_name(server)
    arguments: dict[str, Argument] = {"version": str(name), "server": server or ""}
    found = run_recorded(
        application,
        "verify",
        arguments,
        lambda progress: application.verify_version(name, wanted, progress),
        title=f"verify {name}",
        says=tell_version,
        is_quiet=as_json,
    )
    if as_json:
        print_json(documents.version_verification(found))
        if not found.is_sound:
            raise typer.Exit(ExitCode.DAMAGED)
        return
    if not found.is_sound:
        raise VersionDamagedError(str(name), found.server.name)
    print_line(f"sound: {name} on {found.server.name}, signed, root {found.version.root}")


@commands.command("export", epilog="Example: corral image export debian/2 debian.qcow2")
def export_version(  # noqa: PLR0913 - one for each option of the command
    context: typer.Context,
    version: VersionArgument,
    target: Annotated[Path, typer.Argument(help="File to write.", metavar="FILE")],
    *,
    disk_format: Annotated[
        DiskFormat | None,
        typer.Option("--format", help="Format to write.", show_default="by the file's ending"),
    ] = None,
    server: ServerOption = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the file.", show_default=False)
    ] = False,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a version to a disk image file."""
    from corral.farm.application.export_version import ExportRequest  # noqa: PLC0415
    from corral.farm.domain.estate.server import server_name  # noqa: PLC0415
    from corral.farm.entrypoints.cli.work import run_shown  # noqa: PLC0415

    application = opening.opened(context, farm)
    chosen = disk_format or _format_by_ending(target)
    request = ExportRequest(
        version=version_named(application, version),
        target=target.absolute(),
        format=chosen,
        server=None if server is None else server_name(server),
        overwrite=overwrite,
    )
    exported = run_shown(
        f"export {request.version}",
        lambda progress: application.export_version(request, progress),
        is_quiet=as_json,
    )
    if as_json:
        print_json(
            {**documents.version(exported), "file": str(request.target), "format": chosen.value}
        )
    else:
        print_line(f"exported {exported.name} to {target} as {chosen}")


def _format_by_ending(target: Path) -> DiskFormat:
    ending = target.suffix.lower().removeprefix(".")
    if ending in ("", "img"):
        return DiskFormat.RAW
    try:
        return DiskFormat(ending)
    except ValueError:
        message = f"no format is known by the ending of {target.name}: say it with --format"
        raise typer.BadParameter(message) from None


@commands.command("delete", epilog="Example: corral image delete debian/1 --yes")
def delete_version(  # noqa: PLR0913 - one for each option of the command
    context: typer.Context,
    version: Annotated[
        str,
        typer.Argument(help="IMAGE/NUMBER.", metavar="VERSION", autocompletion=completion.versions),
    ],
    *,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask.", show_default=False)
    ] = False,
    trust_silence: Annotated[
        bool,
        typer.Option(
            "--trust-silence",
            help="Take sessions of servers that no longer report for ended.",
            show_default=False,
        ),
    ] = False,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete a version; refused while a device streams it or could start from nothing else."""
    from corral.farm.domain.image.version import VersionName  # noqa: PLC0415 - not for `--help`

    name = VersionName.parse(version)
    application = opening.opened(context, farm)
    if not yes:
        if as_json:
            message = f"nobody is asked with --json: say --yes to delete {name}"
            raise typer.BadParameter(message)
        typer.confirm(f"Delete {name}? It cannot be brought back.", abort=True)
    deletion = application.delete_version(name, trust_silence=trust_silence)
    if as_json:
        print_json(documents.deletion(deletion))
        return
    removed = ", ".join(server.name for server in deletion.removed_from)
    if not deletion.waiting_for:
        print_line(f"deleted {name}" + (f" from {removed}" if removed else ""))
        return
    print_line(f"{name} is offered no more" + (f"; removed from {removed}" if removed else ""))
    for one in deletion.waiting_for:
        when = "in a moment" if one.state == "online" else "when it is back"
        print_line(f"{one.server.name} removes it {when}, and the version is deleted")


@commands.command("replicate", epilog="Example: corral image replicate debian/2 --to s2 --wait")
def replicate_version(  # noqa: PLR0913 - one for each option of the command
    context: typer.Context,
    version: VersionArgument,
    *,
    to: Annotated[
        list[str],
        typer.Option(
            "--to",
            metavar="SERVER",
            help="Server that should hold it; several.",
            autocompletion=completion.servers,
        ),
    ],
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until all of them hold it.", show_default=False)
    ] = False,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have servers hold a version; each fetches the chunks that it lacks from the others."""
    from corral.farm.domain.estate.server import server_name  # noqa: PLC0415 - not for `--help`
    from corral.farm.entrypoints.cli.replicas import wait_for_replicas  # noqa: PLC0415

    application = opening.opened(context, farm)
    name = version_named(application, version)
    servers = [server_name(one) for one in to]
    application.replicate_version(name, servers)
    if wait:
        wait_for_replicas(application, name, servers, is_quiet=as_json)
    view = application.show_version(name)
    if as_json:
        print_json(documents.version_view(view))
        return
    print_table(
        "",
        ("VERSION", "SERVER", "STATE", ">DONE", ">FETCHED", "PROBLEM"),
        (
            (
                str(name),
                one.server.name,
                one.replica.state.value,
                f"{human_size(one.replica.done_bytes)} of {human_size(one.replica.total_bytes)}",
                human_size(one.replica.fetched_bytes),
                one.replica.problem,
            )
            for one in view.replicas
        ),
        empty="no server holds it",
    )
