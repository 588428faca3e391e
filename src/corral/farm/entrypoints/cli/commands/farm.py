"""``corral farm``."""

from typing import TYPE_CHECKING, Annotated

import typer

from corral.farm.entrypoints.cli import documents, opening
from corral.farm.entrypoints.cli.edits import RevisionOption, edit
from corral.farm.entrypoints.cli.group import command_group
from corral.farm.entrypoints.cli.opening import FarmOption, JsonOption
from corral.farm.entrypoints.cli.output import (
    human_time,
    print_facts,
    print_json,
    print_line,
    print_table,
)

if TYPE_CHECKING:
    from corral.farm.application.add_account import AccountWithSecret

commands = command_group("The farm itself.")


@commands.command("create", epilog="Example: corral farm create home --farm /srv/corral")
def create_farm(  # noqa: PLR0913 - one for each option
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the farm.", metavar="NAME")],
    *,
    api: Annotated[
        list[str] | None,
        typer.Option(
            "--api",
            metavar="URL",
            help="Where servers and devices reach the API; several, best first.",
            show_default="http://127.0.0.1:10800",
        ),
    ] = None,
    database: Annotated[
        str | None,
        typer.Option(
            "--database",
            metavar="URL",
            help="PostgreSQL that keeps the records: postgresql://USER@HOST[,HOST]/DATABASE,"
            " without a password.",
            show_default="SQLite in the folder",
        ),
    ] = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Create a farm: its folder, its database, its signing key and its first administrator.

    The administrator's one-time secret is printed here and nowhere else. It is good for choosing a
    password at the first sign-in, within seven days; 'corral account set-password' makes another.
    """
    from corral.farm.domain.estate.farm import (  # noqa: PLC0415 - not for `--help`
        checked_api_urls,
        farm_name,
    )
    from corral.farm.settings import DEFAULT_API_URL  # noqa: PLC0415

    checked = farm_name(name)
    urls = checked_api_urls(api or [DEFAULT_API_URL])
    created = opening.created(context, farm, database).create_farm(checked, urls)
    made, administrator = created.farm, created.administrator
    if as_json:
        print_json(
            {
                **documents.farm(made),
                "administrator": {
                    "account": administrator.account.name,
                    "one_time_secret": _secret_of(administrator),
                },
            }
        )
        return
    settings = opening.settings_of(context, farm)
    print_facts(
        [
            ("farm", made.name),
            ("folder", str(settings.folder)),
            ("database", database or settings.database_url),
            ("api", " ".join(made.api_urls)),
            ("administrator", administrator.account.name),
            ("one-time secret", f"{_secret_of(administrator)} (shown now and never again)"),
            ("next", "corral server add NAME --store DIR --listen ADDRESS --chunks ADDRESS"),
        ]
    )


def _secret_of(administrator: "AccountWithSecret") -> str:
    return "" if administrator.secret is None else administrator.secret.reveal()


@commands.command("show", epilog="Example: corral farm show --json")
def show_farm(
    context: typer.Context, *, farm: FarmOption = None, as_json: JsonOption = False
) -> None:
    """Show the farm's own facts."""
    summary = opening.opened(context, farm).show_farm()
    if as_json:
        print_json(
            {
                **documents.farm_summary(summary),
                "database": opening.settings_of(context, farm).database_url,
            }
        )
        return
    print_facts(
        [
            ("farm", summary.farm.name),
            ("id", str(summary.farm.id)),
            ("database", opening.settings_of(context, farm).database_url),
            ("created", human_time(summary.farm.created_at)),
            ("public key", summary.farm.public_key.hex()),
            ("api", " ".join(summary.farm.api_urls)),
            ("api before", " ".join(summary.farm.former_api_urls) or "nowhere else"),
            ("servers", str(summary.servers)),
            ("images", str(summary.images)),
            ("devices", str(summary.devices)),
            ("revision", str(summary.farm.revision)),
        ]
    )


@commands.command(
    "change", epilog="Example: corral farm change --api-url https://192.0.2.10:10800 --name home"
)
def change_farm(  # noqa: PLR0913 - one for each option
    context: typer.Context,
    *,
    new_name: Annotated[
        str | None,
        typer.Option("--name", metavar="NAME", help="A new name.", show_default=False),
    ] = None,
    api_url: Annotated[
        list[str] | None,
        typer.Option(
            "--api-url",
            metavar="URL",
            help="Where servers and devices reach the API; several, best first.",
            show_default=False,
        ),
    ] = None,
    revision: RevisionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change the farm's name, or where its API is reached. URLs replace those before.

    Servers that reach the API where it was learn of other URLs by themselves, so let it listen at
    both for as long as a server is off. Devices start from the URLs in their own configuration
    ('urls' of corral-target): change them there.
    """
    from corral.farm.application.change_farm import FarmEdit  # noqa: PLC0415 - not for `--help`
    from corral.farm.application.edits import KEEP  # noqa: PLC0415
    from corral.farm.domain.estate.farm import checked_api_urls, farm_name  # noqa: PLC0415

    wanted = FarmEdit(
        name=edit(new_name, farm_name),
        api_urls=KEEP if api_url is None else checked_api_urls(api_url),
    )
    changed = opening.opened(context, farm).change_farm(wanted, revision)
    if as_json:
        print_json(documents.farm(changed))
    else:
        print_line(
            f"farm {changed.name} is at revision {changed.revision}: its API is reached at"
            f" {' '.join(changed.api_urls)}"
        )


@commands.command("certificates", epilog="Example: corral farm certificates --json")
def show_certificates(
    context: typer.Context, *, farm: FarmOption = None, as_json: JsonOption = False
) -> None:
    """Show by which certificates the farm's processes are known, and until when.

    They are renewed by themselves, 30 days before they end. Devices know all of them by the farm's
    root certificate, whose file is named: give them a copy ('ca_file' of corral-target).
    """
    shown = opening.opened(context, farm).show_certificates()
    if as_json:
        print_json(documents.certificates(shown))
        return
    api = shown.api
    print_facts([("root", shown.root_file)])
    print_table(
        "",
        ("OF", "UNTIL", "FOR", "TLS"),
        [
            (
                "API",
                "-" if api is None else human_time(api.ends_at),
                "-" if api is None else " ".join(api.hosts),
                "-" if api is None else "yes",
            ),
            *(
                (
                    f"server {one.server}",
                    "-" if one.ends_at is None else human_time(one.ends_at),
                    " ".join(one.hosts),
                    "only" if one.requires_tls else "-" if one.ends_at is None else "yes",
                )
                for one in shown.servers
            ),
        ],
        empty="",
    )
