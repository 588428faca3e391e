"""``corral device change`` and its neighbours: what becomes of a device after it was added."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from corral.farm.entrypoints.cli import completion, documents, opening
from corral.farm.entrypoints.cli.commands.device import CollectionOption, DeviceArgument
from corral.farm.entrypoints.cli.edits import DescriptionOption, RevisionOption, edit
from corral.farm.entrypoints.cli.imported_devices import print_imported
from corral.farm.entrypoints.cli.opening import FarmOption, JsonOption
from corral.farm.entrypoints.cli.output import print_json, print_line

# The enum is small and pure; Typer needs it to offer and check the words.
from corral.farm.domain.delivery.device import DeviceType  # isort: skip

if TYPE_CHECKING:
    from corral.farm.application.change_device import DeviceEdit

commands = typer.Typer()
"""They stand among those of :mod:`.device`."""


@commands.command("change", epilog="Example: corral device change pc1 --type test")
def change_device(  # noqa: PLR0913 - one for each option of the command
    context: typer.Context,
    name: DeviceArgument,
    *,
    mac: Annotated[
        str | None,
        typer.Option(
            "--mac", metavar="MAC", help="Address of its new network card.", show_default=False
        ),
    ] = None,
    kind: Annotated[
        DeviceType | None,
        typer.Option("--type", help="Which versions it may start from.", show_default=False),
    ] = None,
    collection: CollectionOption = None,
    description: DescriptionOption = None,
    revision: RevisionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change a device; whatever is not named stays."""
    from corral.farm.application.change_device import DeviceEdit  # noqa: PLC0415
    from corral.farm.application.edits import KEEP  # noqa: PLC0415
    from corral.farm.domain.delivery.device import MacAddress  # noqa: PLC0415
    from corral.farm.domain.estate.collection import collection_name  # noqa: PLC0415

    wanted = DeviceEdit(
        mac=edit(mac, MacAddress.parse),
        collection=edit(collection, collection_name),
        type=KEEP if kind is None else kind,
        description=edit(description, str),
    )
    said = "is changed, from its next login on"
    _change(context, farm, name, wanted, revision, said=said, as_json=as_json)


@commands.command("move", epilog="Example: corral device move pc1 room-1")
def move_device(  # noqa: PLR0913
    context: typer.Context,
    name: DeviceArgument,
    collection: Annotated[
        str,
        typer.Argument(
            help="Where it goes.", metavar="COLLECTION", autocompletion=completion.collections
        ),
    ],
    *,
    revision: RevisionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Move a device to another collection."""
    from corral.farm.application.change_device import DeviceEdit  # noqa: PLC0415
    from corral.farm.domain.estate.collection import collection_name  # noqa: PLC0415

    wanted = DeviceEdit(collection=collection_name(collection))
    said = f"is in collection {collection}"
    _change(context, farm, name, wanted, revision, said=said, as_json=as_json)


@commands.command("disable", epilog="Example: corral device disable pc1")
def disable_device(
    context: typer.Context,
    name: DeviceArgument,
    *,
    revision: RevisionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Refuse a device its logins; what it streams now goes on until its ticket ends."""
    from corral.farm.application.change_device import DeviceEdit  # noqa: PLC0415

    wanted = DeviceEdit(disabled=True)
    _change(context, farm, name, wanted, revision, said="may not log in", as_json=as_json)


@commands.command("enable", epilog="Example: corral device enable pc1")
def enable_device(
    context: typer.Context,
    name: DeviceArgument,
    *,
    revision: RevisionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a device log in again."""
    from corral.farm.application.change_device import DeviceEdit  # noqa: PLC0415

    wanted = DeviceEdit(disabled=False)
    _change(context, farm, name, wanted, revision, said="may log in", as_json=as_json)


@commands.command("remove", epilog="Example: corral device remove pc1")
def remove_device(
    context: typer.Context,
    name: DeviceArgument,
    *,
    revision: RevisionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove a device that streams nothing; its key is worth nothing afterwards."""
    from corral.farm.domain.delivery.device import device_name  # noqa: PLC0415

    removed = opening.opened(context, farm).remove_device(device_name(name), revision)
    if as_json:
        print_json({"removed": removed.name})
    else:
        print_line(f"device {removed.name} is removed")


@commands.command("import", epilog="Example: corral device import room-1.csv --dry-run")
def import_devices(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(help="The table; - for the standard input.", metavar="FILE")
    ],
    *,
    is_trial: Annotated[
        bool,
        typer.Option("--dry-run", help="Only say what is wrong with it.", show_default=False),
    ] = False,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Register the devices of a table (CSV), all of them or none (exit code 1 if a line is bad).

    Its first line names the columns: name, mac; and if wanted collection, image, type, disabled
    (yes or no), description. The key of each device is written to the farm's folder.
    """
    done = opening.opened(context, farm).import_devices(_text(file), is_trial=is_trial)
    print_imported(done, is_trial=is_trial, as_json=as_json)


def _text(file: Path) -> str:
    from corral.farm.domain.delivery.errors import DeviceTableUnreadableError  # noqa: PLC0415

    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text in UTF-8"
        raise DeviceTableUnreadableError(file, str(reason).lower()) from None


def _change(  # noqa: PLR0913
    context: typer.Context,
    farm: Path | None,
    name: str,
    wanted: "DeviceEdit",
    revision: int | None,
    *,
    said: str,
    as_json: bool,
) -> None:
    from corral.farm.domain.delivery.device import device_name  # noqa: PLC0415

    application = opening.opened(context, farm)
    changed = application.change_device(device_name(name), wanted, revision)
    if as_json:
        print_json(documents.device_view(application.show_device(changed.name)))
    else:
        print_line(f"{changed.name} {said}")
