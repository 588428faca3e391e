"""``corral server change`` and ``corral server maintenance``."""

from enum import StrEnum
from typing import Annotated

import typer

from corral.farm.entrypoints.cli import completion, documents, opening
from corral.farm.entrypoints.cli.commands.server import (
    MaxBootingOption,
    MaxDevicesOption,
    PowerOption,
    RelayOption,
    ServerArgument,
)
from corral.farm.entrypoints.cli.edits import (
    DescriptionOption,
    RevisionOption,
    SubnetOption,
    edit,
    optional_edit,
    several_edit,
)
from corral.farm.entrypoints.cli.opening import FarmOption, JsonOption
from corral.farm.entrypoints.cli.output import print_json, print_line

commands = typer.Typer()
"""They stand among those of :mod:`.server`."""


class Switch(StrEnum):
    """A flag, as a word."""

    ON = "on"
    OFF = "off"


@commands.command("change", epilog="Example: corral server change s1 --power 2 --max-devices 400")
def change_server(  # noqa: PLR0913 - one for each option of the command
    context: typer.Context,
    name: ServerArgument,
    *,
    site: Annotated[
        str | None,
        typer.Option(
            "--site",
            metavar="SITE",
            help="Where it is.",
            autocompletion=completion.sites,
            show_default=False,
        ),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(
            "--in-store",
            metavar="STORE",
            help="The store that its folder belongs to.",
            autocompletion=completion.stores,
            show_default=False,
        ),
    ] = None,
    advertise: Annotated[
        list[str] | None,
        typer.Option(
            "--advertise",
            metavar="ADDRESS",
            help="Where devices reach it, best first; 'none' for as it listens.",
            show_default=False,
        ),
    ] = None,
    advertise_chunks: Annotated[
        str | None,
        typer.Option(
            "--advertise-chunks",
            metavar="ADDRESS",
            help="Where other servers reach it.",
            show_default=False,
        ),
    ] = None,
    management: Annotated[
        str | None,
        typer.Option(
            "--management",
            metavar="ADDRESS",
            help="Where devices can log in whatever becomes of the API; 'none' for nowhere.",
            show_default=False,
        ),
    ] = None,
    power: PowerOption = None,
    max_devices: MaxDevicesOption = None,
    max_booting: MaxBootingOption = None,
    relay: RelayOption = None,
    subnet: SubnetOption = None,
    description: DescriptionOption = None,
    revision: RevisionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change a server; whatever is not named stays. No restart is needed."""
    from corral.farm.application.change_server import ServerEdit  # noqa: PLC0415
    from corral.farm.application.edits import KEEP  # noqa: PLC0415
    from corral.farm.domain.estate.address import Address  # noqa: PLC0415
    from corral.farm.domain.estate.capacity import parse_limit, power_rating  # noqa: PLC0415
    from corral.farm.domain.estate.server import server_name  # noqa: PLC0415
    from corral.farm.domain.estate.site import site_name  # noqa: PLC0415
    from corral.farm.domain.estate.store import store_name  # noqa: PLC0415
    from corral.farm.domain.estate.subnet import parse_subnets  # noqa: PLC0415

    wanted = ServerEdit(
        site=edit(site, site_name),
        store=edit(store, store_name),
        description=edit(description, str),
        advertised=several_edit(advertise, lambda texts: tuple(map(Address.parse, texts))),
        chunks_advertised=edit(advertise_chunks, Address.parse),
        management=optional_edit(management, Address.parse),
        power_rating=edit(power, power_rating),
        max_devices=optional_edit(max_devices, parse_limit),
        max_devices_booting=optional_edit(max_booting, parse_limit),
        subnets=several_edit(subnet, parse_subnets),
        relay=KEEP if relay is None else relay,
    )
    application = opening.opened(context, farm)
    changed = application.change_server(server_name(name), wanted, revision)
    if as_json:
        print_json(documents.server_view(application.show_server(changed.name)))
    else:
        print_line(f"server {changed.name} is at revision {changed.revision}")


@commands.command("maintenance", epilog="Example: corral server maintenance s1 on")
def set_maintenance(  # noqa: PLR0913
    context: typer.Context,
    name: ServerArgument,
    switch: Annotated[Switch, typer.Argument(help="on or off.", metavar="on|off")],
    *,
    revision: RevisionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a server out of service for work, or back: meanwhile it gets no new devices.

    Its devices stay ('corral server drain' moves them away first).
    """
    from corral.farm.application.change_server import ServerEdit  # noqa: PLC0415
    from corral.farm.domain.estate.server import server_name  # noqa: PLC0415

    application = opening.opened(context, farm)
    changed = application.change_server(
        server_name(name), ServerEdit(maintenance=switch is Switch.ON), revision
    )
    if as_json:
        print_json(documents.server_view(application.show_server(changed.name)))
    elif changed.maintenance:
        print_line(f"{changed.name} is in maintenance and gets no new devices")
    else:
        print_line(f"{changed.name} is back in service")
