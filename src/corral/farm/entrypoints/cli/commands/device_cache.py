"""``corral device set-cache`` and ``reset-cache``: where a device writes."""

from typing import Annotated

import typer

from corral.farm.entrypoints.cli import documents, opening
from corral.farm.entrypoints.cli.commands.device import DeviceArgument
from corral.farm.entrypoints.cli.opening import FarmOption, JsonOption
from corral.farm.entrypoints.cli.output import print_json, print_line
from corral.farm.entrypoints.cli.sizes import size_bytes

# The enums are small and pure; Typer needs them to offer and check the words.
from corral.farm.domain.image.write_cache import CacheFallback, WriteCache  # isort: skip

commands = typer.Typer()
"""They stand among those of :mod:`.device`."""


@commands.command(
    "set-cache", epilog="Example: corral device set-cache pc1 device-disk --limit 16GiB"
)
def set_device_cache(  # noqa: PLR0913 - one for each option of the command
    context: typer.Context,
    name: DeviceArgument,
    kind: Annotated[
        WriteCache | None,
        typer.Argument(
            help="Where it writes; left out, it goes by its image again.",
            metavar="KIND",
            show_default=False,
        ),
    ] = None,
    *,
    limit: Annotated[
        str | None,
        typer.Option("--limit", metavar="SIZE", help="How much.", show_default="no limit"),
    ] = None,
    fallback: Annotated[
        CacheFallback, typer.Option("--fallback", help="What it does if its disk is missing.")
    ] = CacheFallback.DEVICE_RAM,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have a device write elsewhere than its image says, from its next start on."""
    from corral.farm.domain.delivery.device import device_name  # noqa: PLC0415
    from corral.farm.domain.image.write_cache import CacheSetting  # noqa: PLC0415

    setting = None
    if kind is not None:
        setting = CacheSetting(kind, None if limit is None else size_bytes(limit), fallback)
    checked = device_name(name)
    application = opening.opened(context, farm)
    application.set_device_cache(checked, setting)
    view = application.show_device(checked)
    if as_json:
        print_json(documents.device_view(view))
        return
    whose = "its own" if view.has_own_cache else "its image's"
    print_line(f"{checked} writes to {view.cache.kind} from its next start on ({whose})")


@commands.command("reset-cache", epilog="Example: corral device reset-cache pc1")
def reset_device_cache(
    context: typer.Context,
    name: DeviceArgument,
    *,
    custom: Annotated[
        bool,
        typer.Option(
            "--custom", help="Also give up its own disk of a custom image.", show_default=False
        ),
    ] = False,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give up what a device wrote on servers, so that its next start begins anew."""
    from corral.farm.domain.delivery.device import device_name  # noqa: PLC0415

    checked = device_name(name)
    given_up = opening.opened(context, farm).reset_device_cache(checked, also_custom=custom)
    if as_json:
        print_json([documents.overlay_view(view) for view in given_up])
        return
    for view in given_up:
        print_line(f"{view.server.name} removes {view.export} ({view.overlay.kind})")
    if not given_up:
        print_line(f"nothing that {checked} wrote is kept on a server")
