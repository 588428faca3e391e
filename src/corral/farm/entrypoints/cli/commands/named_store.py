"""``corral store add`` and the others that are about a store and not about one server's folder."""

from typing import TYPE_CHECKING, Annotated

import typer

from corral.farm.entrypoints.cli import completion, estate_documents, opening
from corral.farm.entrypoints.cli.edits import (
    DescriptionOption,
    RevisionOption,
    absolute,
    edit,
    optional_edit,
)
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
from corral.farm.entrypoints.cli.output import print_facts, print_json, print_line, print_table
from corral.farm.entrypoints.cli.scrub_documents import policy_words, seen_words

if TYPE_CHECKING:
    from corral.farm.application.list_stores import StoreView

commands = typer.Typer()
"""They stand among those of :mod:`.store`."""

StoreArgument = Annotated[
    str,
    typer.Argument(help="Name of the store.", metavar="STORE", autocompletion=completion.stores),
]
PathOption = Annotated[
    str | None,
    typer.Option(
        "--path",
        metavar="DIR",
        help="Folder of each server that names none of its own; 'none' for none.",
        show_default=False,
    ),
]


@commands.command("add", epilog="Example: corral store add lab --path /srv/corral")
def add_store(  # noqa: PLR0913 - one for each option of the command
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the store.", metavar="NAME")],
    *,
    path: PathOption = None,
    shared: Annotated[
        bool,
        typer.Option("--shared", help="Servers may share one folder of it.", show_default=False),
    ] = False,
    description: DescriptionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a store that servers are to keep together."""
    from corral.farm.application.add_store import NewStore  # noqa: PLC0415 - not for `--help`
    from corral.farm.domain.estate.store import store_name  # noqa: PLC0415

    wanted = NewStore(
        name=store_name(name),
        description=description or "",
        default_path=None if path is None else absolute(path),
        shared=shared,
    )
    application = opening.opened(context, farm)
    made = application.add_store(wanted)
    if as_json:
        print_json(estate_documents.store_view(application.show_store(made.name)))
    else:
        print_line(
            f"store {made.name} is there: 'corral server add --in-store {made.name}' is next"
        )


@commands.command("list", epilog="Example: corral store list --filter shared=yes")
def list_stores(  # noqa: PLR0913
    context: typer.Context,
    *,
    filters: FilterOption = None,
    sort: SortOption = None,
    limit: LimitOption = None,
    after: AfterOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the stores; keys are name, description, path, shared, server, servers."""
    from corral.farm.application.list_stores import STORES  # noqa: PLC0415

    wish = wish_of(filters, sort, limit, after)
    page = page_of(opening.opened(context, farm).list_stores(), STORES, wish)
    if as_json:
        print_page_json(page, wish, estate_documents.store_view)
        return
    print_page(
        page,
        wish,
        ("STORE", "FOLDER", "SHARED", "COPIES", "SERVERS", "DESCRIPTION"),
        _row,
        empty="no stores",
    )


def _row(view: "StoreView") -> tuple[str, ...]:
    return (
        view.store.name,
        str(view.store.default_path or "-"),
        "yes" if view.store.shared else "no",
        "all" if view.store.copies is None else str(view.store.copies),
        " ".join(server.name for server in view.servers),
        view.store.description,
    )


@commands.command("show", epilog="Example: corral store show lab")
def show_store(
    context: typer.Context,
    name: StoreArgument,
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a store and the folder of each of its servers."""
    from corral.farm.domain.estate.store import store_name  # noqa: PLC0415

    view = opening.opened(context, farm).show_store(store_name(name))
    if as_json:
        print_json(estate_documents.store_view(view))
        return
    print_facts(
        [
            ("store", view.store.name),
            ("id", str(view.store.id)),
            ("description", view.store.description),
            ("folder", str(view.store.default_path or "each server's own")),
            ("shared", "yes" if view.store.shared else "no"),
            (
                "copies",
                "on every server" if view.store.copies is None else str(view.store.copies),
            ),
            ("scrub", policy_words(view.store.scrub)),
            ("revision", str(view.store.revision)),
        ]
    )
    print_table(
        "",
        ("SERVER", "FOLDER", "SCRUB"),
        (
            (
                server.name,
                str(server.store.path),
                seen_words(server.last_report.scrub if server.last_report else None),
            )
            for server in view.servers
        ),
        empty="no server keeps it",
    )


@commands.command("change", epilog="Example: corral store change lab --shared")
def change_store(  # noqa: PLR0913
    context: typer.Context,
    name: StoreArgument,
    *,
    new_name: Annotated[
        str | None,
        typer.Option("--name", metavar="NAME", help="A new name.", show_default=False),
    ] = None,
    path: PathOption = None,
    shared: Annotated[
        bool | None,
        typer.Option(
            "--shared/--not-shared", help="Servers may share one folder of it.", show_default=False
        ),
    ] = None,
    description: DescriptionOption = None,
    revision: RevisionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change a store; whatever is not named stays, and no chunk is moved."""
    from corral.farm.application.change_store import StoreEdit  # noqa: PLC0415
    from corral.farm.application.edits import KEEP  # noqa: PLC0415
    from corral.farm.domain.estate.store import store_name  # noqa: PLC0415

    wanted = StoreEdit(
        name=edit(new_name, store_name),
        description=edit(description, str),
        default_path=optional_edit(path, absolute),
        shared=KEEP if shared is None else shared,
    )
    application = opening.opened(context, farm)
    changed = application.change_store(store_name(name), wanted, revision)
    if as_json:
        print_json(estate_documents.store_view(application.show_store(changed.name)))
    else:
        print_line(f"store {changed.name} is at revision {changed.revision}")


@commands.command("remove", epilog="Example: corral store remove lab")
def remove_store(
    context: typer.Context,
    name: StoreArgument,
    *,
    revision: RevisionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove a store that no server keeps any more; no folder is touched."""
    from corral.farm.domain.estate.store import store_name  # noqa: PLC0415

    removed = opening.opened(context, farm).remove_store(store_name(name), revision)
    if as_json:
        print_json({"removed": removed.name})
    else:
        print_line(f"store {removed.name} is removed")
