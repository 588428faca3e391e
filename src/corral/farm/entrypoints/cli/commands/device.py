"""``corral device``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from corral.farm.entrypoints.cli import completion, documents, opening
from corral.farm.entrypoints.cli.edits import DescriptionOption
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
from corral.farm.entrypoints.cli.overlays import overlay_line, written_where

# The enum is small and pure; Typer needs it to offer and check the words.
from corral.farm.domain.delivery.device import DeviceType  # isort: skip

if TYPE_CHECKING:
    from corral.farm.application.list_devices import DeviceView

commands = command_group("Devices: the machines whose disks are streamed.")

DeviceArgument = Annotated[
    str,
    typer.Argument(help="Name of the device.", metavar="DEVICE", autocompletion=completion.devices),
]
CollectionOption = Annotated[
    str | None,
    typer.Option(
        "--collection",
        metavar="COLLECTION",
        help="The collection that it is in.",
        autocompletion=completion.collections,
        show_default=False,
    ),
]


@commands.command(
    "add",
    epilog="Example: corral device add pc1 --mac 52:54:00:12:34:56 --image debian",
)
def add_device(  # noqa: PLR0913 - one for each option of the command
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(help="Name of the device, or of many: PREFIX[FIRST-LAST].", metavar="NAME"),
    ],
    *,
    mac: Annotated[
        str,
        typer.Option(
            "--mac", metavar="MAC", help="Address of its network card; of many, the first one's."
        ),
    ],
    image: Annotated[
        str | None,
        typer.Option(
            "--image",
            metavar="IMAGE",
            help="Image that it starts from.",
            autocompletion=completion.images,
            show_default=False,
        ),
    ] = None,
    collection: CollectionOption = None,
    kind: Annotated[
        DeviceType, typer.Option("--type", help="Which versions it may start from.")
    ] = DeviceType.PRODUCTION,
    description: DescriptionOption = None,
    key_file: Annotated[
        Path | None,
        typer.Option(
            "--key-file",
            metavar="FILE",
            help="Where its key is written, readable by you alone.",
            show_default="devices/NAME.key in the farm's folder",
        ),
    ] = None,
    key_folder: Annotated[
        Path | None,
        typer.Option(
            "--key-folder",
            metavar="DIR",
            help="Of many: where NAME.key of each is written.",
            show_default="devices/ in the farm's folder",
        ),
    ] = None,
    is_trial: Annotated[
        bool,
        typer.Option("--dry-run", help="Of many: only say what is wrong.", show_default=False),
    ] = False,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Register a device and write its key to a file; or many, all of them or none.

    Many devices have names that count, and cards whose addresses count from the first one's:
    corral device add 'lab-[001-040]' --mac 52:54:00:00:01:01 --key-folder keys.
    For cards that do not count, write a table: 'corral device import'.
    """
    from corral.farm.application.register_device import NewPlace  # noqa: PLC0415
    from corral.farm.domain.delivery.device import MacAddress, device_name  # noqa: PLC0415
    from corral.farm.domain.delivery.device_series import (  # noqa: PLC0415
        DeviceSeries,
        DeviceSeriesInvalidError,
        is_series,
    )
    from corral.farm.domain.estate.collection import collection_name  # noqa: PLC0415
    from corral.farm.domain.image.image import image_name  # noqa: PLC0415
    from corral.farm.entrypoints.cli.imported_devices import print_imported  # noqa: PLC0415

    place = NewPlace(
        collection=None if collection is None else collection_name(collection),
        type=kind,
        description=description or "",
    )
    if is_series(name):
        if key_file is not None:
            reason = "each has a key of its own: say --key-folder"
            raise DeviceSeriesInvalidError(name, reason)
        done = opening.opened(context, farm).import_devices.series(
            DeviceSeries.parse(name),
            MacAddress.parse(mac),
            None if image is None else image_name(image),
            place,
            key_folder=None if key_folder is None else key_folder.absolute(),
            is_trial=is_trial,
        )
        print_imported(done, is_trial=is_trial, as_json=as_json)
        return
    if is_trial or key_folder is not None:
        reason = "--dry-run and --key-folder are for many devices"
        raise DeviceSeriesInvalidError(name, reason)
    checked, card = device_name(name), MacAddress.parse(mac)
    application = opening.opened(context, farm)
    registered = application.register_device(
        checked,
        card,
        None if image is None else image_name(image),
        None if key_file is None else key_file.absolute(),
        place,
    )
    if as_json:
        view = application.show_device(checked)
        print_json({**documents.device_view(view), "key_file": str(registered.key_file)})
        return
    print_facts(
        [
            ("device", registered.device.name),
            ("mac", str(registered.device.mac)),
            ("image", image or "none yet: corral device assign"),
            ("key file", f"{registered.key_file} (holds the device's key)"),
        ]
    )


@commands.command("list", epilog="Example: corral device list --filter collection=room-1")
def list_devices(  # noqa: PLR0913
    context: typer.Context,
    *,
    filters: FilterOption = None,
    sort: SortOption = None,
    limit: LimitOption = None,
    after: AfterOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the devices with what they start from.

    Keys are name, mac, collection, site, type, disabled, image, version, description, registered,
    last-login.
    """
    from corral.farm.application.list_devices import DEVICES  # noqa: PLC0415 - not for `--help`

    wish = wish_of(filters, sort, limit, after)
    page = page_of(opening.opened(context, farm).list_devices(), DEVICES, wish)
    if as_json:
        print_page_json(page, wish, documents.device_view)
        return
    print_page(
        page,
        wish,
        ("DEVICE", "MAC", "COLLECTION", "IMAGE", "STARTS FROM", "LAST LOGIN", "WARNING"),
        _row,
        empty="no devices yet: corral device add",
    )


def _row(view: "DeviceView") -> tuple[str, ...]:
    device = view.device
    return (
        f"{device.name} (disabled)" if device.disabled else device.name,
        str(device.mac),
        view.collection.name,
        view.image or "-",
        "-" if view.version is None else str(view.version),
        human_time(device.last_login.at if device.last_login else None),
        view.warning,
    )


@commands.command("show", epilog="Example: corral device show pc1")
def show_device(
    context: typer.Context,
    name: DeviceArgument,
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a device."""
    from corral.farm.domain.delivery.device import device_name  # noqa: PLC0415

    view = opening.opened(context, farm).show_device(device_name(name))
    if as_json:
        print_json(documents.device_view(view))
        return
    print_facts(
        [
            ("device", view.device.name),
            ("id", str(view.device.id)),
            ("mac", str(view.device.mac)),
            ("collection", f"{view.collection.name}, in site {view.site.name}"),
            ("type", view.device.type.value),
            ("may log in", "no: disabled" if view.device.disabled else "yes"),
            ("description", view.device.description),
            ("revision", str(view.device.revision)),
            ("image", view.image or "none"),
            ("starts from", "nothing" if view.version is None else str(view.version)),
            ("write cache", written_where(view)),
            *(("writes to", overlay_line(one)) for one in view.overlays),
            *((("warning", view.warning),) if view.warning else ()),
            ("registered", human_time(view.device.registered_at)),
            (
                "last login",
                human_time(view.device.last_login.at if view.device.last_login else None),
            ),
        ]
    )


@commands.command("assign", epilog="Example: corral device assign pc1 debian")
def assign_device(
    context: typer.Context,
    name: DeviceArgument,
    image: Annotated[
        str,
        typer.Argument(
            help="Image that it starts from.", metavar="IMAGE", autocompletion=completion.images
        ),
    ],
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Assign an image to a device, from its next start on."""
    from corral.farm.domain.delivery.device import device_name  # noqa: PLC0415
    from corral.farm.domain.image.image import image_name  # noqa: PLC0415

    checked = device_name(name)
    application = opening.opened(context, farm)
    application.assign_device(checked, image_name(image))
    if as_json:
        print_json(documents.device_view(application.show_device(checked)))
    else:
        print_line(f"{checked} starts from the newest version of {image} from now on")


@commands.command("unassign", epilog="Example: corral device unassign pc1")
def unassign_device(
    context: typer.Context,
    name: DeviceArgument,
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take the image of a device from it: it starts from nothing; what it runs now goes on."""
    from corral.farm.domain.delivery.device import device_name  # noqa: PLC0415

    checked = device_name(name)
    application = opening.opened(context, farm)
    application.unassign_device(checked)
    if as_json:
        print_json(documents.device_view(application.show_device(checked)))
    else:
        print_line(f"{checked} starts from nothing from now on")


@commands.command("login", epilog="Example: corral device login pc1 --json > pc1.json")
def log_device_in(
    context: typer.Context,
    name: DeviceArgument,
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Log a device in as it would itself: what it streams, and from which servers.

    With --json this is the document that corral-target reads, ticket included: keep it secret.
    """
    from corral.farm.domain.delivery.device import device_name  # noqa: PLC0415

    application = opening.opened(context, farm)
    device = application.show_device(device_name(name)).device
    answer = application.log_device_in(device.id)
    if as_json:
        print_json(documents.login_answer(answer))
        return
    print_facts(
        [
            ("device", answer.device.name),
            ("streams", str(answer.version.name)),
            ("root", answer.version.root.hex),
            ("size", human_size(answer.version.size_bytes)),
            ("ticket until", human_time(answer.expires_at)),
        ]
    )
    print_table(
        "",
        (">TRY", "SERVER", "ADDRESSES"),
        (
            (str(place), server.name, " ".join(map(str, server.advertised)))
            for place, server in enumerate(answer.servers, 1)
        ),
        empty="",
    )
