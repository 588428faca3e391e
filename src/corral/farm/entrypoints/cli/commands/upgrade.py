"""``corral upgrade``."""

from typing import TYPE_CHECKING, Annotated

import typer

from corral.farm.entrypoints.cli import completion, opening, upgrade_documents
from corral.farm.entrypoints.cli.failures import ExitCode
from corral.farm.entrypoints.cli.group import command_group
from corral.farm.entrypoints.cli.opening import FarmOption, JsonOption
from corral.farm.entrypoints.cli.output import human_time, print_json, print_line, print_table

if TYPE_CHECKING:
    from corral.farm.application.check_upgrade import UpgradeCheck

commands = command_group("Bringing the farm to another release.")


@commands.command("check", epilog="Example: corral upgrade check farm-5.0")
def check(
    context: typer.Context,
    kit: Annotated[
        str,
        typer.Argument(
            help="A kit of the farm's software, in the library.",
            metavar="KIT",
            autocompletion=completion.library,
        ),
    ],
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say whether the farm may be upgraded now, and name everything that is in the way.

    Changes nothing. Ends with 0 if nothing is in the way, else with 7. Computers that are away are
    judged by what they ran when they were last heard of.
    """
    from corral.farm.domain.library.item import item_name  # noqa: PLC0415 - not for `--help`

    found = opening.opened(context, farm).check_upgrade(item_name(kit))
    _say(kit, found, as_json=as_json)
    if not found.is_clear:
        raise typer.Exit(ExitCode.FINDINGS)


def _say(kit: str, found: "UpgradeCheck", *, as_json: bool) -> None:
    if as_json:
        print_json(upgrade_documents.check(kit, found))
        return
    print_table(
        f"In the way from {found.now} to {found.to.release}",
        ("CODE", "ABOUT", "WHAT", "WAY OUT"),
        (
            (one.obstacle.code, one.thing, one.message, one.obstacle.way_out)
            for one in found.hindrances
        ),
        empty=f"nothing is in the way from {found.now} to {found.to.release}",
    )
    for one, said in found.accepted:
        print_line(
            f"accepted by {said.by} until {human_time(said.until)}, because {said.because}:"
            f" {one.risk}: {one.message}"
        )
    for console in found.consoles:
        release = console.release or "of an unknown release"
        print_line(f"console {console.who}: {release}, last seen {human_time(console.seen_at)}")
    if found.to_republish:
        names = ", ".join(found.to_republish)
        print_line(f"worth publishing anew after it, for newer guest tools: {names}")
