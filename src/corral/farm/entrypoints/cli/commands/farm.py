"""``corral farm``."""

from typing import TYPE_CHECKING, Annotated

import typer

from corral.farm.entrypoints.cli import documents, opening
from corral.farm.entrypoints.cli.group import command_group
from corral.farm.entrypoints.cli.opening import FarmOption, JsonOption
from corral.farm.entrypoints.cli.output import human_time, print_facts, print_json

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
    from corral.farm.domain.estate.farm import api_url, farm_name  # noqa: PLC0415 - not for `--help`
    from corral.farm.settings import DEFAULT_API_URL  # noqa: PLC0415

    checked = farm_name(name)
    urls = tuple(map(api_url, api or [DEFAULT_API_URL]))
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
            ("servers", str(summary.servers)),
            ("images", str(summary.images)),
            ("devices", str(summary.devices)),
        ]
    )
