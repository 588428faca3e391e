"""``corral store``."""

from typing import TYPE_CHECKING, Annotated

import typer

from corral.farm.entrypoints.cli import completion, documents, opening
from corral.farm.entrypoints.cli.failures import ExitCode
from corral.farm.entrypoints.cli.group import command_group
from corral.farm.entrypoints.cli.opening import FarmOption, JsonOption
from corral.farm.entrypoints.cli.output import human_size, print_json, print_line

if TYPE_CHECKING:
    from corral.farm.application.collect_store import CollectionReport

commands = command_group("Stores: where servers keep chunks.")

ServerArgument = Annotated[
    str,
    typer.Argument(
        help="Server whose store it is.", metavar="SERVER", autocompletion=completion.servers
    ),
]


@commands.command("verify", epilog="Example: corral store verify s1")
def verify_store(
    context: typer.Context,
    name: ServerArgument,
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read a whole store and compare every chunk with its name (exit code 5 if one is damaged)."""
    from corral.farm.application.store_tasks import tell_store  # noqa: PLC0415
    from corral.farm.domain.estate.server import server_name  # noqa: PLC0415 - not for `--help`
    from corral.farm.entrypoints.cli.recorded import run_recorded  # noqa: PLC0415

    checked = server_name(name)
    application = opening.opened(context, farm)
    report = run_recorded(
        application,
        "verify",
        {"server": checked},
        lambda progress: application.verify_store(checked, progress),
        title=f"verify store of {checked}",
        says=tell_store,
        is_quiet=as_json,
    )
    if as_json:
        print_json(documents.store_report(report))
    elif report.found.is_sound:
        size = human_size(report.found.checked_bytes)
        print_line(f"sound: {report.found.checked_chunks} chunks, {size}, are what they should be")
    else:
        print_line(
            f"DAMAGED: {report.found.damaged_chunks} of {report.found.checked_chunks} chunks;"
            f" affected: {', '.join(map(str, report.affected)) or 'no published version'}"
        )
        print_line(f"next: corral store heal {checked}")
    if not report.found.is_sound:
        raise typer.Exit(ExitCode.DAMAGED)


@commands.command("heal", epilog="Example: corral store heal s1")
def heal_store(
    context: typer.Context,
    name: ServerArgument,
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Replace damaged chunks with sound ones from the other servers (which must be running)."""
    from corral.farm.application.store_tasks import tell_healing  # noqa: PLC0415
    from corral.farm.domain.estate.server import server_name  # noqa: PLC0415 - not for `--help`
    from corral.farm.entrypoints.cli.recorded import run_recorded  # noqa: PLC0415

    checked = server_name(name)
    application = opening.opened(context, farm)
    report = run_recorded(
        application,
        "heal",
        {"server": checked},
        lambda progress: application.heal_store(checked, progress),
        title=f"heal store of {checked}",
        says=tell_healing,
        is_quiet=as_json,
    )
    healing = report.healing
    if as_json:
        print_json(documents.healing_report(report))
    elif not healing.damaged_chunks:
        print_line("sound: there was nothing to heal")
    else:
        print_line(
            f"healed {healing.healed_chunks} of {healing.damaged_chunks} damaged chunks,"
            f" {human_size(healing.fetched_bytes)} fetched"
        )
    if not healing.is_sound:
        raise typer.Exit(ExitCode.DAMAGED)


@commands.command("collect", epilog="Example: corral store collect s1 --dry-run")
def collect_store(
    context: typer.Context,
    name: ServerArgument,
    *,
    is_dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be freed.")
    ] = False,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give back the space of chunks that no version in the store needs any more.

    Every version that is in the store is kept. Devices stream on meanwhile. Imports into the store
    are waited for, and new ones wait for a moment.
    """
    from corral.farm.application.progress import Progress  # noqa: PLC0415 - not for `--help`
    from corral.farm.application.store_tasks import tell_collection  # noqa: PLC0415
    from corral.farm.domain.estate.server import server_name  # noqa: PLC0415
    from corral.farm.entrypoints.cli.recorded import run_recorded  # noqa: PLC0415

    checked = server_name(name)
    application = opening.opened(context, farm)
    if is_dry_run:
        report = application.collect_store(checked, Progress(), is_dry_run=True)
    else:
        report = run_recorded(
            application,
            "collect",
            {"server": checked},
            lambda progress: application.collect_store(checked, progress),
            title=f"collect store of {checked}",
            says=tell_collection,
            is_quiet=as_json,
        )
    if as_json:
        print_json(documents.collection_report(report))
    else:
        _tell_collection(report)


def _tell_collection(report: "CollectionReport") -> None:
    plan, done = report.plan, report.done
    print_line(
        f"versions kept: {len(plan.kept_roots)};"
        f" {human_size(plan.live_bytes)} needed, {human_size(plan.dead_bytes)} not"
    )
    for version in report.strange:
        known = f", {', '.join(map(str, version.names))}" if version.names else ""
        print_line(f"kept, although the farm does not want it there: {version.root}{known}")
    if plan.incomplete_roots:
        print_line(f"kept in part, still to be fetched: {len(plan.incomplete_roots)}")
    if plan.unusable_packs:
        print_line(f"damaged files, left as they are: {plan.unusable_packs}")
        print_line(f"next: corral store heal {report.server.name}")
    if done is None:
        abandoned = human_size(plan.abandoned_bytes)
        more = f", and up to {abandoned} of killed imports" if plan.abandoned_bytes else ""
        print_line(f"to be freed: {human_size(plan.freed_bytes)}{more}")
    else:
        print_line(f"freed: {human_size(done.freed_bytes)}")
    if done is not None and done.spared_packs:
        print_line(f"files left for the next time, needed by now or damaged: {done.spared_packs}")
