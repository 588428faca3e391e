"""``corral site``."""

from typing import TYPE_CHECKING, Annotated

import typer

from corral.farm.entrypoints.cli import completion, estate_documents, opening
from corral.farm.entrypoints.cli.edits import (
    DescriptionOption,
    RevisionOption,
    SubnetOption,
    edit,
    several_edit,
)
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
from corral.farm.entrypoints.cli.output import human_size, print_facts, print_json, print_line

if TYPE_CHECKING:
    from corral.farm.application.list_sites import SiteView
    from corral.farm.domain.estate.replication import Bandwidth

commands = command_group("Sites: places whose servers and devices are near to each other.")

SiteArgument = Annotated[
    str,
    typer.Argument(help="Name of the site.", metavar="SITE", autocompletion=completion.sites),
]


@commands.command("add", epilog="Example: corral site add basel --subnet 192.0.2.0/24")
def add_site(  # noqa: PLR0913 - one for each option of the command
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the site.", metavar="NAME")],
    *,
    description: DescriptionOption = None,
    subnet: SubnetOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a site, and say which networks its devices are in."""
    from corral.farm.application.add_site import NewSite  # noqa: PLC0415 - not for `--help`
    from corral.farm.domain.estate.site import site_name  # noqa: PLC0415
    from corral.farm.domain.estate.subnet import parse_subnets  # noqa: PLC0415

    wanted = NewSite(site_name(name), description or "", parse_subnets(subnet or ()))
    application = opening.opened(context, farm)
    site = application.add_site(wanted)
    if as_json:
        print_json(estate_documents.site_view(application.show_site(site.name)))
    else:
        print_line(f"site {site.name} is there: 'corral collection add --site {site.name}' is next")


@commands.command("list", epilog="Example: corral site list --filter 'subnet=192.0.*'")
def list_sites(  # noqa: PLR0913
    context: typer.Context,
    *,
    filters: FilterOption = None,
    sort: SortOption = None,
    limit: LimitOption = None,
    after: AfterOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the sites; keys are name, description, subnet, servers, collections, devices."""
    from corral.farm.application.list_sites import SITES  # noqa: PLC0415 - not for `--help`

    wish = wish_of(filters, sort, limit, after)
    page = page_of(opening.opened(context, farm).list_sites(), SITES, wish)
    if as_json:
        print_page_json(page, wish, estate_documents.site_view)
        return
    print_page(
        page,
        wish,
        ("SITE", ">SERVERS", ">COLLECTIONS", ">DEVICES", "SUBNETS", "DESCRIPTION"),
        _row,
        empty="no sites",
    )


def _row(view: "SiteView") -> tuple[str, ...]:
    return (
        view.site.name,
        str(view.servers),
        str(view.collections),
        str(view.devices),
        " ".join(map(str, view.site.subnets)),
        view.site.description,
    )


@commands.command("show", epilog="Example: corral site show basel")
def show_site(
    context: typer.Context,
    name: SiteArgument,
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a site."""
    from corral.farm.domain.estate.site import site_name  # noqa: PLC0415

    view = opening.opened(context, farm).show_site(site_name(name))
    if as_json:
        print_json(estate_documents.site_view(view))
        return
    print_facts(
        [
            ("site", view.site.name),
            ("id", str(view.site.id)),
            ("description", view.site.description),
            ("subnets", " ".join(map(str, view.site.subnets)) or "none"),
            ("line", _line(view.site.bandwidth)),
            ("servers", str(view.servers)),
            ("collections", str(view.collections)),
            ("devices", str(view.devices)),
            ("revision", str(view.site.revision)),
        ]
    )


@commands.command(
    "change",
    epilog="Example: corral site change basel --name bern --subnet 192.0.2.0/24",
)
def change_site(  # noqa: PLR0913
    context: typer.Context,
    name: SiteArgument,
    *,
    new_name: Annotated[
        str | None,
        typer.Option("--name", metavar="NAME", help="A new name.", show_default=False),
    ] = None,
    description: DescriptionOption = None,
    subnet: SubnetOption = None,
    revision: RevisionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change a site; whatever is not named stays. Subnets replace those before."""
    from corral.farm.application.change_site import SiteEdit  # noqa: PLC0415
    from corral.farm.domain.estate.site import site_name  # noqa: PLC0415
    from corral.farm.domain.estate.subnet import parse_subnets  # noqa: PLC0415

    wanted = SiteEdit(
        name=edit(new_name, site_name),
        description=edit(description, str),
        subnets=several_edit(subnet, parse_subnets),
    )
    application = opening.opened(context, farm)
    site = application.change_site(site_name(name), wanted, revision)
    if as_json:
        print_json(estate_documents.site_view(application.show_site(site.name)))
    else:
        print_line(f"site {site.name} is at revision {site.revision}")


@commands.command("remove", epilog="Example: corral site remove basel")
def remove_site(
    context: typer.Context,
    name: SiteArgument,
    *,
    revision: RevisionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove a site that has neither servers nor collections any more."""
    from corral.farm.domain.estate.site import site_name  # noqa: PLC0415

    site = opening.opened(context, farm).remove_site(site_name(name), revision)
    if as_json:
        print_json({"removed": site.name})
    else:
        print_line(f"site {site.name} is removed")


def _line(of: "Bandwidth") -> str:
    """Say what copies may take of it."""
    said = "no limit" if of.rate is None else f"{human_size(of.rate)}/s"
    windows = [f"{one} {of.zone}: {human_size(one.rate)}/s" for one in of.windows]
    return "; ".join([said, *windows])
