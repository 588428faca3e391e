"""``corral farm difference`` and ``corral farm accept``: after the farm was restored."""

from typing import TYPE_CHECKING, Annotated

import typer

from corral.farm.entrypoints.cli import completion, opening
from corral.farm.entrypoints.cli.opening import FarmOption, JsonOption
from corral.farm.entrypoints.cli.output import (
    human_time,
    print_facts,
    print_json,
    print_line,
    print_table,
)

if TYPE_CHECKING:
    from corral.farm.application.accept_difference import ShownDifference
    from corral.farm.entrypoints.cli.output import Json

commands = typer.Typer()


@commands.command("difference", epilog="Example: corral farm difference --json")
def show_difference(
    context: typer.Context, *, farm: FarmOption = None, as_json: JsonOption = False
) -> None:
    """Show what differs since the farm was restored from a backup, and what accepting it does.

    Three values each: what the backup says, what the farm is known to have said since, and what is
    so. Until somebody accepts it, the farm observes: it takes nothing away from anybody.
    """
    shown = opening.opened(context, farm).show_difference()
    if as_json:
        print_json(_document(shown))
        return
    restoration = shown.look.restoration
    print_facts(
        [
            ("backup of", human_time(restoration.taken_at)),
            ("restored", human_time(restoration.restored_at)),
            ("accepted", _accepted(shown)),
        ]
    )
    print_table(
        "",
        ("OBJECT", "BACKUP", "SAID SINCE", "LIVE", "CODE"),
        [(one.thing, one.backup, one.said, one.live, one.kind.code) for one in shown.differences],
        empty="nothing differs, as far as servers were heard of",
    )
    for kind in dict.fromkeys(one.kind for one in shown.differences):
        print_line(f"{kind.code}: {kind.meaning}; accepting it: {kind.accepting}")
    if shown.waits:
        print_line(f"next: corral farm accept --seen {shown.seen} --because TEXT")


@commands.command(
    "accept", epilog="Example: corral farm accept --seen 1f0c2ab39d44 --because 'disk of the API'"
)
def accept_difference(  # noqa: PLR0913 - one for each option
    context: typer.Context,
    *,
    because: Annotated[
        str, typer.Option("--because", metavar="TEXT", help="Why, for the audit log.")
    ],
    seen: Annotated[
        str | None,
        typer.Option(
            "--seen",
            metavar="WORD",
            help="The word that 'corral farm difference' ended with: nothing else is accepted.",
            show_default="whatever differs now",
        ),
    ] = None,
    taking_from: Annotated[
        list[str] | None,
        typer.Option(
            "--taking-from",
            metavar="COMPUTER",
            help="A computer that is given orders though these take from it what it has; several.",
            autocompletion=completion.computers,
            show_default=False,
        ),
    ] = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Accept what differs since the farm was restored: whatever is newer becomes part of it again.

    Nothing goes back to what the backup says. From then on the farm works as always; a server that
    was not heard of yet goes on observing until it is.
    """
    from corral.farm.domain.computer.computer import computer_name  # noqa: PLC0415 - not for help

    names = tuple(map(computer_name, taking_from or ()))
    shown = opening.opened(context, farm).accept_difference(because, seen, names)
    if as_json:
        print_json(_document(shown))
    else:
        count = len(shown.differences)
        print_line(f"accepted {count} difference{'' if count == 1 else 's'}: the farm goes on")


def _accepted(shown: "ShownDifference") -> str:
    restoration = shown.look.restoration
    if restoration.accepted_at is None:
        return "not yet: the farm observes"
    when = human_time(restoration.accepted_at)
    return f"{when} by {restoration.accepted_by or 'nobody'}: {restoration.because or '-'}"


def _document(shown: "ShownDifference") -> "dict[str, Json]":
    restoration = shown.look.restoration
    accepted_at = restoration.accepted_at
    return {
        "taken_at": restoration.taken_at.isoformat(),
        "restored_at": restoration.restored_at.isoformat(),
        "observes": shown.observes,
        "waits": shown.waits,
        "accepted_at": None if accepted_at is None else accepted_at.isoformat(),
        "accepted_by": restoration.accepted_by,
        "because": restoration.because,
        "seen": shown.seen,
        "differences": [
            {
                "code": one.kind.code,
                "object": one.thing,
                "meaning": one.kind.meaning,
                "backup": one.backup,
                "said": one.said,
                "live": one.live,
                "accepting": one.kind.accepting,
            }
            for one in shown.differences
        ],
    }
