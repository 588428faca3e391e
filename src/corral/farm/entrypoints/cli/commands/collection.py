"""``corral collection``."""

from typing import TYPE_CHECKING, Annotated

import typer

from corral.farm.entrypoints.cli import completion, estate_documents, opening
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
from corral.farm.entrypoints.cli.output import print_facts, print_json, print_line

if TYPE_CHECKING:
    from corral.farm.application.list_collections import CollectionView

commands = command_group("Collections: devices of one site that are administered together.")

CollectionArgument = Annotated[
    str,
    typer.Argument(
        help="Name of the collection.", metavar="COLLECTION", autocompletion=completion.collections
    ),
]


@commands.command("add", epilog="Example: corral collection add room-1 --site basel")
def add_collection(  # noqa: PLR0913 - one for each option of the command
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the collection.", metavar="NAME")],
    *,
    site: Annotated[
        str | None,
        typer.Option(
            "--site",
            metavar="SITE",
            help="Where its devices are.",
            autocompletion=completion.sites,
            show_default="the first site",
        ),
    ] = None,
    description: DescriptionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a collection to a site."""
    from corral.farm.application.add_collection import NewCollection  # noqa: PLC0415
    from corral.farm.domain.estate.collection import collection_name  # noqa: PLC0415
    from corral.farm.domain.estate.site import site_name  # noqa: PLC0415

    wanted = NewCollection(
        collection_name(name), None if site is None else site_name(site), description or ""
    )
    application = opening.opened(context, farm)
    made = application.add_collection(wanted)
    if as_json:
        print_json(estate_documents.collection_view(application.show_collection(made.name)))
    else:
        print_line(
            f"collection {made.name} is there: 'corral device move DEVICE {made.name}' fills it"
        )


@commands.command("list", epilog="Example: corral collection list --filter site=basel")
def list_collections(  # noqa: PLR0913
    context: typer.Context,
    *,
    filters: FilterOption = None,
    sort: SortOption = None,
    limit: LimitOption = None,
    after: AfterOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the collections; keys are name, site, description, devices."""
    from corral.farm.application.list_collections import COLLECTIONS  # noqa: PLC0415

    wish = wish_of(filters, sort, limit, after)
    page = page_of(opening.opened(context, farm).list_collections(), COLLECTIONS, wish)
    if as_json:
        print_page_json(page, wish, estate_documents.collection_view)
        return
    print_page(
        page, wish, ("COLLECTION", "SITE", ">DEVICES", "DESCRIPTION"), _row, empty="no collections"
    )


def _row(view: "CollectionView") -> tuple[str, ...]:
    collection = view.collection
    return collection.name, view.site.name, str(view.devices), collection.description


@commands.command("show", epilog="Example: corral collection show room-1")
def show_collection(
    context: typer.Context,
    name: CollectionArgument,
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a collection."""
    from corral.farm.domain.estate.collection import collection_name  # noqa: PLC0415

    view = opening.opened(context, farm).show_collection(collection_name(name))
    if as_json:
        print_json(estate_documents.collection_view(view))
        return
    print_facts(
        [
            ("collection", view.collection.name),
            ("id", str(view.collection.id)),
            ("site", view.site.name),
            ("description", view.collection.description),
            ("devices", str(view.devices)),
            ("revision", str(view.collection.revision)),
        ]
    )


@commands.command("change", epilog="Example: corral collection change room-1 --name reading-room")
def change_collection(  # noqa: PLR0913
    context: typer.Context,
    name: CollectionArgument,
    *,
    new_name: Annotated[
        str | None,
        typer.Option("--name", metavar="NAME", help="A new name.", show_default=False),
    ] = None,
    description: DescriptionOption = None,
    revision: RevisionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change a collection; whatever is not named stays."""
    from corral.farm.application.change_collection import CollectionEdit  # noqa: PLC0415
    from corral.farm.domain.estate.collection import collection_name  # noqa: PLC0415

    wanted = CollectionEdit(
        name=edit(new_name, collection_name), description=edit(description, str)
    )
    application = opening.opened(context, farm)
    changed = application.change_collection(collection_name(name), wanted, revision)
    if as_json:
        print_json(estate_documents.collection_view(application.show_collection(changed.name)))
    else:
        print_line(f"collection {changed.name} is at revision {changed.revision}")


@commands.command("move", epilog="Example: corral collection move room-1 basel")
def move_collection(  # noqa: PLR0913
    context: typer.Context,
    name: CollectionArgument,
    site: Annotated[
        str,
        typer.Argument(help="Where it goes.", metavar="SITE", autocompletion=completion.sites),
    ],
    *,
    revision: RevisionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Move a collection to another site, with all of its devices."""
    from corral.farm.application.change_collection import CollectionEdit  # noqa: PLC0415
    from corral.farm.domain.estate.collection import collection_name  # noqa: PLC0415
    from corral.farm.domain.estate.site import site_name  # noqa: PLC0415

    application = opening.opened(context, farm)
    moved = application.change_collection(
        collection_name(name), CollectionEdit(site=site_name(site)), revision
    )
    if as_json:
        print_json(estate_documents.collection_view(application.show_collection(moved.name)))
    else:
        print_line(f"collection {moved.name} is in site {site}")


@commands.command("remove", epilog="Example: corral collection remove room-1")
def remove_collection(
    context: typer.Context,
    name: CollectionArgument,
    *,
    revision: RevisionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove a collection that has no devices any more."""
    from corral.farm.domain.estate.collection import collection_name  # noqa: PLC0415

    removed = opening.opened(context, farm).remove_collection(collection_name(name), revision)
    if as_json:
        print_json({"removed": removed.name})
    else:
        print_line(f"collection {removed.name} is removed")
