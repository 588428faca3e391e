"""``corral``: the program."""

from typing import Annotated

import typer

from corral.farm.entrypoints.cli.commands import (
    account,
    account_group,
    affinity,
    audit,
    balance,
    check,
    collection,
    device,
    device_cache,
    device_change,
    farm,
    image,
    named_store,
    replica,
    replication,
    role,
    schedule,
    serve,
    server,
    server_change,
    session,
    site,
    status,
    store,
    task,
    token,
    version,
)
from corral.farm.entrypoints.cli.opening import FarmOption, Root
from corral.farm.entrypoints.cli.root import CorralGroup

app = typer.Typer(
    name="corral",
    cls=CorralGroup,
    help="Keep a fleet of machines on golden disk images.",
    epilog="First steps: corral farm create home --farm DIR · then: corral server add --help",
    rich_markup_mode="rich",
    invoke_without_command=True,
    pretty_exceptions_enable=False,
)
image.commands.command("affinity", epilog="Example: corral image affinity debian fixed")(
    affinity.bind_image
)
collection.commands.command(
    "affinity", epilog="Example: corral collection affinity room-1 best-effort"
)(affinity.bind_collection)
farm.commands.command("check", epilog="Example: corral farm check --json")(check.check_farm)
farm.commands.command(
    "balance", epilog="Example: corral farm balance --automatic --over 25 --every 10"
)(balance.set_balance)
site.commands.command("rebalance", epilog="Example: corral site rebalance default --dry-run")(
    balance.rebalance_site
)
server_change.commands.command("rebalance", epilog="Example: corral server rebalance s1 --dry-run")(
    balance.rebalance_server
)
app.add_typer(farm.commands, name="farm")
app.add_typer(site.commands, name="site")
server.commands.add_typer(server_change.commands)
app.add_typer(server.commands, name="server")
store.commands.add_typer(named_store.commands)
app.add_typer(store.commands, name="store")
image.commands.add_typer(version.commands)
app.add_typer(image.commands, name="image")
app.add_typer(collection.commands, name="collection")
device.commands.add_typer(device_change.commands)
device.commands.add_typer(device_cache.commands)
app.add_typer(device.commands, name="device")
app.add_typer(session.commands, name="session")
app.add_typer(replica.commands, name="replica")
app.add_typer(replication.commands, name="replication")
app.command("status", epilog="Example: corral status")(status.show_status)
app.add_typer(account.commands, name="account")
app.add_typer(account_group.commands, name="group")
app.add_typer(role.commands, name="role")
app.add_typer(token.commands, name="token")
app.add_typer(audit.commands, name="audit")
app.add_typer(task.commands, name="task")
app.add_typer(schedule.commands, name="schedule")
app.add_typer(serve.commands, name="serve")


def _print_version(*, is_wanted: bool) -> None:
    if is_wanted:
        from importlib.metadata import version  # noqa: PLC0415 - not for other commands

        typer.echo(f"corral {version('corral')}")
        raise typer.Exit


@app.callback()
def _begin(
    context: typer.Context,
    *,
    farm_folder: FarmOption = None,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error.", show_default=False)
    ] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Print the version.",
            show_default=False,
            is_eager=True,
            callback=lambda value: _print_version(is_wanted=value),
        ),
    ] = False,
) -> None:
    del debug, version  # read by the root command, before anything can go wrong
    root = context.find_object(Root) or Root()
    root.farm = farm_folder or root.farm
    context.obj = root
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def run() -> None:
    """Run the program."""
    app(prog_name="corral")
