"""``corral store scrub`` and ``corral store scrub-policy``."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Final

import typer

from corral.farm.entrypoints.cli import completion, opening, scrub_documents
from corral.farm.entrypoints.cli.edits import RevisionOption
from corral.farm.entrypoints.cli.failures import ExitCode
from corral.farm.entrypoints.cli.opening import FarmOption, JsonOption
from corral.farm.entrypoints.cli.output import human_size, print_json, print_line

if TYPE_CHECKING:
    from corral.farm.application.scrub_store import ScrubReport
    from corral.farm.application.verbs import Application
    from corral.farm.domain.estate.server import ServerName

OFF: Final = "off"

commands = typer.Typer()
"""They stand among those of :mod:`.store`."""


@commands.command("scrub", epilog="Example: corral store scrub s1 --rate 50M")
def scrub_store(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            help="Server whose store it is, or a store: then one server after the other.",
            metavar="SERVER|STORE",
            autocompletion=completion.servers,
        ),
    ],
    *,
    rate: Annotated[
        str | None,
        typer.Option(
            "--rate",
            metavar="BYTES",
            help="Most bytes a second, such as 50M.",
            show_default="as fast as the disk goes",
        ),
    ] = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read a whole store now and heal what is damaged (exit code 5 if something cannot be)."""
    from corral.farm.domain.estate.replication import bytes_a_second  # noqa: PLC0415

    limit = None if rate is None else bytes_a_second(rate)
    application = opening.opened(context, farm)
    reports = [
        _scrub(application, one, rate, limit, is_quiet=as_json)
        for one in _servers(application, name)
    ]
    if as_json:
        print_json([scrub_documents.scrub_report(report) for report in reports])
    else:
        for report in reports:
            _tell(report)
    if not all(report.scrub.is_sound for report in reports):
        raise typer.Exit(ExitCode.DAMAGED)


def _servers(application: "Application", name: str) -> "list[ServerName]":
    """Give the server of that name, or one for each folder of the store of that name."""
    from corral.farm.domain.estate.errors import ServerUnknownError  # noqa: PLC0415
    from corral.farm.domain.estate.server import server_name  # noqa: PLC0415
    from corral.farm.domain.estate.store import StoreUnknownError, store_name  # noqa: PLC0415

    try:
        return [application.show_server(server_name(name)).server.name]
    except ServerUnknownError as unknown:
        try:
            keepers = application.show_store(store_name(name)).servers
        except StoreUnknownError:
            raise unknown from None
    return list({server.store.id: server.name for server in reversed(keepers)}.values())[::-1]


def _scrub(
    application: "Application",
    server: "ServerName",
    rate: str | None,
    limit: int | None,
    *,
    is_quiet: bool,
) -> "ScrubReport":
    from corral.farm.application.store_tasks import tell_scrub  # noqa: PLC0415 - not for `--help`
    from corral.farm.entrypoints.cli.recorded import run_recorded  # noqa: PLC0415

    return run_recorded(
        application,
        "scrub",
        {"server": server, **({} if rate is None else {"rate": rate})},
        lambda progress: application.scrub_store(server, limit, progress),
        title=f"scrub store of {server}",
        says=tell_scrub,
        is_quiet=is_quiet,
    )


def _tell(report: "ScrubReport") -> None:
    scrub, name = report.scrub, report.server.name
    read = f"{human_size(scrub.checked_bytes)} of {name} were read"
    if not scrub.damaged_chunks and scrub.is_sound:
        print_line(f"sound: {read}")
        return
    print_line(f"{read}; damaged chunks: {scrub.damaged_chunks}, healed: {scrub.healed_chunks}")
    if not scrub.is_sound:
        names = ", ".join(map(str, report.affected)) or "no published version"
        print_line(f"NOT HEALED: {scrub.unhealed_chunks}; affected: {names}")
        print_line(
            f"next: start a server that holds them, and {name} heals by itself;"
            " if none does, import them again"
        )


@commands.command("scrub-policy", epilog="Example: corral store scrub-policy lab --rate 20M")
def set_policy(  # noqa: PLR0913 - one for each option of the command
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            help="Name of the store.", metavar="STORE", autocompletion=completion.stores
        ),
    ],
    *,
    rate: Annotated[
        str | None,
        typer.Option(
            "--rate",
            metavar="BYTES",
            help="Most bytes a second of each server, such as 20M; 'off' for no scrub.",
            show_default="as it is",
        ),
    ] = None,
    every: Annotated[
        str | None,
        typer.Option(
            "--every",
            metavar="TIME",
            help="How often a pass begins, such as 14d or 12h.",
            show_default="as it is",
        ),
    ] = None,
    revision: RevisionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say how often and how fast the servers of a store read all that they keep."""
    from corral.farm.domain.estate.replication import bytes_a_second  # noqa: PLC0415
    from corral.farm.domain.estate.scrub import scrub_interval  # noqa: PLC0415
    from corral.farm.domain.estate.store import store_name  # noqa: PLC0415

    application = opening.opened(context, farm)
    seen = application.show_store(store_name(name)).store
    wanted = seen.scrub
    if rate is not None:
        wanted = replace(wanted, rate=0 if rate == OFF else bytes_a_second(rate))
    if every is not None:
        wanted = replace(wanted, every=scrub_interval(every))
    changed = application.set_scrub(seen.name, wanted, revision or seen.revision)
    if as_json:
        document = scrub_documents.policy(changed.scrub)
        print_json({"store": changed.name, **document, "revision": changed.revision})
    else:
        print_line(f"scrub of store {changed.name}: {scrub_documents.policy_words(changed.scrub)}")
