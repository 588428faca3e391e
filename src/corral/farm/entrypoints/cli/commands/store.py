"""``corral store``."""

from typing import Annotated

import typer

from corral.farm.entrypoints.cli import completion, documents, opening
from corral.farm.entrypoints.cli.failures import ExitCode
from corral.farm.entrypoints.cli.group import command_group
from corral.farm.entrypoints.cli.opening import FarmOption, JsonOption
from corral.farm.entrypoints.cli.output import human_size, print_json, print_line

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
    from corral.farm.application.task_kinds import tell_store  # noqa: PLC0415
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
    from corral.farm.application.task_kinds import tell_healing  # noqa: PLC0415
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
