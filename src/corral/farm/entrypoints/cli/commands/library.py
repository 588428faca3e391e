"""``corral library``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from corral.farm.entrypoints.cli import completion, library_documents, opening
from corral.farm.entrypoints.cli.group import command_group
from corral.farm.entrypoints.cli.opening import FarmOption, JsonOption
from corral.farm.entrypoints.cli.output import (
    human_size,
    human_time,
    print_facts,
    print_json,
    print_line,
    print_table,
)

# The enums are small and pure; Typer needs them to offer and check the words.
from corral.farm.application.list_library import FileKind  # isort: skip
from corral.farm.domain.library.item import ItemKind  # isort: skip

if TYPE_CHECKING:
    from corral.farm.application.list_library import ItemView
    from corral.farm.domain.task.task import Argument

commands = command_group("Kits and media that computers can be given.")
trust = command_group("Publishers whose kits the farm believes.")
commands.add_typer(trust, name="trust")

ItemArgument = Annotated[
    str,
    typer.Argument(
        help="Name in the library, such as engine-5.0.",
        metavar="NAME",
        autocompletion=completion.library,
    ),
]
PublisherArgument = Annotated[
    str, typer.Argument(help="Name of the publisher.", metavar="PUBLISHER")
]


@commands.command("folder", epilog="Example: corral library folder --set /srv/import")
def show_folder(
    context: typer.Context,
    *,
    folder: Annotated[
        Path | None,
        typer.Option("--set", metavar="DIR", help="Import from here.", show_default=False),
    ] = None,
    kind: Annotated[FileKind, typer.Option("--kind", help="What is looked for.")] = FileKind.KIT,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what the import folder offers, and say of each other file why it does not."""
    application = opening.opened(context, farm)
    if folder is not None:
        application.set_library_folder(folder.absolute())
    found = application.look_into_folder(kind)
    if as_json:
        print_json(library_documents.folder(found))
        return
    print_table(
        f"{found.folder}, for {kind.value}",
        ("FILE", ">SIZE", "CHANGED", "NAME", "OFFERED", "WHY NOT"),
        [
            (
                one.path.name,
                human_size(one.size_bytes),
                human_time(one.changed_at),
                one.name,
                "yes" if one.is_offered else "no",
                one.why_not,
            )
            for one in found.files
        ],
        empty=f"{found.folder} has no files",
    )


@commands.command("import", epilog="Example: corral library import engine-5.0.corral-kit")
def import_item(  # noqa: PLR0913 - one for each option of the command
    context: typer.Context,
    path: Annotated[
        Path,
        typer.Argument(help="File, or a file's name in the import folder.", metavar="FILE"),
    ],
    *,
    kind: Annotated[ItemKind, typer.Option("--kind", help="What it is.")] = ItemKind.KIT,
    name: Annotated[
        str,
        typer.Option(
            "--name", metavar="NAME", help="Of a disc image.", show_default="that of the file"
        ),
    ] = "",
    server: Annotated[
        str | None,
        typer.Option(
            "--server",
            metavar="SERVER",
            help="Whose store it goes into.",
            autocompletion=completion.servers,
            show_default="the first one's",
        ),
    ] = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check a kit's signature and every byte of it, and make it available."""
    from corral.farm.application.import_into_library import LibraryRequest  # noqa: PLC0415
    from corral.farm.application.library_tasks import tell_library  # noqa: PLC0415
    from corral.farm.domain.estate.server import server_name  # noqa: PLC0415
    from corral.farm.entrypoints.cli.recorded import run_recorded  # noqa: PLC0415

    application = opening.opened(context, farm)
    # A file that is here is meant before one of the import folder.
    found = path.absolute() if path.exists() else path
    arguments: dict[str, Argument] = {"path": str(found), "kind": kind.value}
    if name:
        arguments["name"] = name
    if server is not None:
        arguments["server"] = server
    request = LibraryRequest(found, kind, name, None if server is None else server_name(server))
    item = run_recorded(
        application,
        "library",
        arguments,
        lambda progress: application.import_into_library(request, progress),
        title=f"import {path.name}",
        says=tell_library,
        is_quiet=as_json,
    )
    view = application.show_library_item(item.name)
    if as_json:
        print_json(library_documents.item(view))
        return
    signer = f", signed by {view.publisher.name}" if view.publisher else ""
    print_line(f"{item.name} is available, {human_size(item.size_bytes)}{signer}")


@commands.command("list", epilog="Example: corral library list")
def list_items(
    context: typer.Context, *, farm: FarmOption = None, as_json: JsonOption = False
) -> None:
    """List what is in the library."""
    found = opening.opened(context, farm).list_library()
    if as_json:
        print_json([library_documents.item(one) for one in found])
        return
    print_table(
        "",
        ("NAME", "KIND", "STATE", ">SIZE", "PUBLISHER", "ON SERVERS", "PROBLEM"),
        [
            (
                one.item.name,
                one.item.kind.value,
                one.item.state.value,
                human_size(one.item.size_bytes),
                one.publisher.name if one.publisher else "",
                _held(one),
                one.item.problem,
            )
            for one in found
        ],
        empty="the library is empty: 'corral library folder' shows what could be imported",
    )


def _held(view: "ItemView") -> str:
    complete = sum(replica.is_complete for _, replica in view.replicas)
    return f"{complete} of {len(view.replicas)}" if view.replicas else ""


@commands.command("show", epilog="Example: corral library show engine-5.0")
def show_item(
    context: typer.Context,
    name: ItemArgument,
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one thing of the library, and what its release says of itself."""
    from corral.farm.domain.library.item import item_name  # noqa: PLC0415 - not for `--help`

    view = opening.opened(context, farm).show_library_item(item_name(name))
    if as_json:
        print_json(library_documents.item(view))
        return
    item = view.item
    facts = [
        ("name", item.name),
        ("kind", item.kind.value),
        ("state", item.state.value),
        ("problem", item.problem),
        ("size", human_size(item.size_bytes)),
        ("imported", human_time(item.available_at)),
        ("from", str(item.path)),
        ("publisher", view.publisher.name if view.publisher else ""),
        ("version", str(item.version or "")),
        ("root", item.root.hex if item.root else ""),
        ("on servers", _held(view)),
    ]
    if item.kit is not None:
        facts += kit_facts(item.kit.text)
    print_facts([fact for fact in facts if fact[1]])


def kit_facts(text: str) -> list[tuple[str, str]]:
    """Give what a kit's release says of itself, a line each."""
    from corral.farm.domain.library.kit import read_kit  # noqa: PLC0415 - not for `--help`
    from corral.farm.domain.library.manifest import EngineManifest  # noqa: PLC0415

    kit = read_kit(text)
    manifest, said = kit.manifest, kit.manifest.facts
    facts = [
        ("release", f"{manifest.component} {manifest.release} of {manifest.released_on}"),
        ("document", manifest.document),
    ]
    if isinstance(said, EngineManifest):
        facts += [
            ("runs image formats", ", ".join(map(str, sorted(said.image_formats)))),
            ("guest tools", str(said.guest_tools or "")),
            ("oldest farm", str(said.oldest_farm or "")),
        ]
    else:
        facts += [
            ("publishes image format", str(said.image_format)),
            ("guest tools", str(said.guest_tools or "")),
            ("oldest engine", str(said.oldest_engine or "")),
        ]
    upgrades = manifest.upgrades
    facts += [
        ("can follow", f"{upgrades.oldest} and newer" if upgrades.oldest else "every older one"),
        ("barrier", upgrades.because if upgrades.is_barrier else ""),
        ("asks for", "; ".join(f"{one.name}: {one.because}" for one in upgrades.first)),
        ("can go back to", str(upgrades.back_to or "")),
    ]
    return facts + [(f"file {one.name}", human_size(one.size_bytes)) for one in kit.files]


@commands.command("remove", epilog="Example: corral library remove engine-4.5 --yes")
def remove_item(
    context: typer.Context,
    name: ItemArgument,
    *,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask.", show_default=False)
    ] = False,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take something out of the library, and delete it from every server."""
    from corral.farm.domain.library.item import item_name  # noqa: PLC0415 - not for `--help`

    application = opening.opened(context, farm)
    item = application.show_library_item(item_name(name)).item
    if not yes:
        if as_json:
            message = f"nobody is asked with --json: say --yes to remove {name}"
            raise typer.BadParameter(message)
        typer.confirm(f"Remove {name}? It has to be imported anew after that.", abort=True)
    removal = application.remove_library_item(item.name)
    awaited = [] if removal.deletion is None else list(removal.deletion.waiting_for)
    if as_json:
        names: list[str] = [one.server.name for one in awaited]
        print_json({"name": item.name, "waiting_for": names})
        return
    print_line(f"{item.name} was removed")
    for one in awaited:
        print_line(f"{one.server.name} ({one.state.value}) has yet to forget it")


@trust.command("add", epilog="Example: corral library trust add acme corral-publisher-…")
def trust_publisher(
    context: typer.Context,
    name: PublisherArgument,
    key: Annotated[
        str, typer.Argument(help="Public key, as 'corral kit key' printed it.", metavar="KEY")
    ],
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Believe kits that this key signs: who has it can have every computer run anything."""
    from corral.farm.domain.library.kit import (  # noqa: PLC0415 - not for `--help`
        publisher_name,
        read_public_key,
    )

    application = opening.opened(context, farm)
    added = application.trust_publisher(publisher_name(name), read_public_key(key))
    if as_json:
        print_json(library_documents.publisher(added))
        return
    print_line(f"kits of {added.name} are believed (fingerprint {added.fingerprint[:16]})")


@trust.command("list", epilog="Example: corral library trust list")
def list_publishers(
    context: typer.Context, *, farm: FarmOption = None, as_json: JsonOption = False
) -> None:
    """List whose kits are believed."""
    found = opening.opened(context, farm).list_publishers()
    if as_json:
        print_json(library_documents.publishers(found))
        return
    print_table(
        "",
        ("PUBLISHER", "FINGERPRINT", "SINCE"),
        [(one.name, one.fingerprint, human_time(one.added_at)) for one in found],
        empty="the farm believes nobody's kits: 'corral library trust add' changes that",
    )


@trust.command("remove", epilog="Example: corral library trust remove acme")
def distrust_publisher(
    context: typer.Context,
    name: PublisherArgument,
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Believe a publisher's kits no more; refused while there are any in the library."""
    from corral.farm.domain.library.kit import publisher_name  # noqa: PLC0415 - not for `--help`

    removed = opening.opened(context, farm).distrust_publisher(publisher_name(name))
    if as_json:
        print_json(library_documents.publisher(removed))
        return
    print_line(f"kits of {removed.name} are believed no more")
