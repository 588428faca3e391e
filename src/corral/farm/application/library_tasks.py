"""Tasks that fill the library."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from corral.farm.application.import_into_library import LibraryRequest, in_folder
from corral.farm.application.task_work import Arguments, Subject
from corral.farm.domain.estate.errors import NoServerError
from corral.farm.domain.library.item import ItemKind

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Records
    from corral.farm.application.task_work import Verbs, Work
    from corral.farm.domain.library.item import Item


def read_library_task(arguments: Arguments, records: Records) -> Subject:
    """Read what is imported, and choose the server."""
    path = in_folder(records, Path(arguments.text("path")))
    _kind(arguments)
    arguments.text("name")
    wanted = arguments.server()
    if wanted is not None:
        server = records.servers.get(wanted)
    else:
        servers = [one for one in records.servers.all() if not one.relay]
        if not servers:
            raise NoServerError
        server = min(servers, key=lambda one: (one.added_at, one.name))
    return Subject(path.name, server.name)


def run_library_task(verbs: Verbs, work: Work) -> str:
    """Import it, and keep with the item that this task made it available."""

    def note(records: Records, item: Item) -> None:
        work.around.made(records, tell_library(item))

    item = verbs.import_into_library(
        LibraryRequest(
            path=Path(work.arguments.text("path")),
            kind=_kind(work.arguments),
            name=work.arguments.text("name"),
            server=work.task.request.server,
            also=note,
        ),
        work.around.progress,
    )
    return tell_library(item)


def tell_library(item: Item) -> str:
    """Say what an import came to."""
    return f"{item.name} is {item.state} as {item.version}"


def _kind(arguments: Arguments) -> ItemKind:
    text = arguments.text("kind", ItemKind.KIT)
    try:
        return ItemKind(text)
    except ValueError:
        reason = f"'kind' must be one of {', '.join(ItemKind)}"
        raise arguments.refused(reason) from None
