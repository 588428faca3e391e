"""``corral rollout``: look at rollouts, and move them."""

from typing import TYPE_CHECKING, Annotated

import typer

from corral.farm.entrypoints.cli import completion, opening, rollout_documents
from corral.farm.entrypoints.cli.edits import RevisionOption
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
from corral.farm.entrypoints.cli.output import (
    human_time,
    print_facts,
    print_json,
    print_line,
    print_table,
)

if TYPE_CHECKING:
    from corral.farm.application.list_rollouts import RolloutDetails, RolloutView
    from corral.farm.domain.rollout.rollout import Rollout

commands = command_group("Giving a version or a kit to machines in waves.")

RolloutArgument = Annotated[
    str,
    typer.Argument(
        help="Name of the rollout.", metavar="ROLLOUT", autocompletion=completion.rollouts
    ),
]
WhyOption = Annotated[
    str, typer.Option("--why", metavar="TEXT", help="For the others.", show_default=False)
]


@commands.command("list", epilog="Example: corral rollout list --filter state=halted")
def list_rollouts(  # noqa: PLR0913 - one for each option of the command
    context: typer.Context,
    *,
    filters: FilterOption = None,
    sort: SortOption = None,
    limit: LimitOption = None,
    after: AfterOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the rollouts with what their gates say.

    Keys are name, of, kind, state, machines, proven, failures, started.
    """
    from corral.farm.application.list_rollouts import ROLLOUTS  # noqa: PLC0415

    wish = wish_of(filters, sort, limit, after)
    page = page_of(list(opening.opened(context, farm).list_rollouts()), ROLLOUTS, wish)
    if as_json:
        print_page_json(page, wish, rollout_documents.rollout)
        return
    print_page(
        page,
        wish,
        ("ROLLOUT", "OF", "STATE", ">PROVEN", ">MACHINES", ">FAILURES", "WHY"),
        _row,
        empty="no rollouts: corral rollout start",
    )


def _row(view: "RolloutView") -> tuple[str, ...]:
    return (
        view.rollout.name,
        view.rollout.offering.name,
        view.rollout.state.value,
        str(view.proven),
        str(view.machines),
        str(view.failures),
        view.rollout.why,
    )


@commands.command("show", epilog="Example: corral rollout show debian-3")
def show_rollout(
    context: typer.Context,
    name: RolloutArgument,
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a rollout as it is now, and of each machine why it is not offered it."""
    from corral.farm.domain.rollout.rollout import rollout_name  # noqa: PLC0415

    found = opening.opened(context, farm).show_rollout(rollout_name(name))
    if as_json:
        print_json(rollout_documents.details(found))
        return
    _tell(found)


def _tell(found: "RolloutDetails") -> None:
    rollout = found.view.rollout
    print_facts(
        [
            fact
            for fact in [
                ("rollout", rollout.name),
                ("of", rollout.offering.name),
                ("state", rollout.state.value),
                ("why", rollout.why),
                ("started", f"{human_time(rollout.started_at)} by {rollout.started_by}"),
                ("revision", str(rollout.revision)),
            ]
            if fact[1]
        ]
    )
    print_table(
        "",
        ("WAVE", ">MACHINES", ">WAITING", ">PENDING", ">SILENT", ">PROVEN", ">FAILURES", "GATE"),
        [
            (
                wave.name,
                *map(
                    str,
                    (
                        judged.tally.all,
                        judged.tally.waiting,
                        judged.tally.pending,
                        judged.tally.silent,
                        judged.tally.proven,
                        judged.tally.failures,
                    ),
                ),
                "; ".join((judged.verdict.value, *judged.reasons)),
            )
            for wave, judged in zip(rollout.waves, found.view.judged, strict=True)
        ],
        empty="no waves",
    )
    print_table(
        "",
        ("MACHINE", "WAVE", "STATE", "SEEN", ">FAILURES", "WHY NOT", "PROBLEM"),
        [
            (
                rollout_documents.machine_name(one.computer, one.user),
                rollout.waves[one.member.wave].name,
                one.member.state.value,
                human_time(one.member.seen_at),
                str(one.member.failures),
                "" if one.why_not is None else str(one.why_not),
                one.member.problem or one.member.code,
            )
            for one in found.members
        ],
        empty="no machines",
    )


@commands.command("pause", epilog="Example: corral rollout pause debian-3 --why holidays")
def pause(  # noqa: PLR0913 - one for each option of the command
    context: typer.Context,
    name: RolloutArgument,
    *,
    why: WhyOption = "",
    revision: RevisionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Offer it to nobody new; what machines have begun they finish."""
    from corral.farm.domain.rollout.rollout import rollout_name  # noqa: PLC0415

    application = opening.opened(context, farm)
    _moved(application.pause_rollout(rollout_name(name), why, revision), as_json=as_json)


@commands.command("resume", epilog="Example: corral rollout resume debian-3 --accept-failures")
def resume(  # noqa: PLR0913 - one for each option of the command
    context: typer.Context,
    name: RolloutArgument,
    *,
    accept_failures: Annotated[
        bool,
        typer.Option(
            "--accept-failures",
            help="What failed so far was looked at, and counts no more.",
            show_default=False,
        ),
    ] = False,
    revision: RevisionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let it go on."""
    from corral.farm.domain.rollout.rollout import rollout_name  # noqa: PLC0415

    application = opening.opened(context, farm)
    after = application.resume_rollout(
        rollout_name(name), accepts_failures=accept_failures, revision=revision
    )
    _moved(after, as_json=as_json)


@commands.command("stop", epilog="Example: corral rollout stop debian-3")
def stop(  # noqa: PLR0913 - one for each option of the command
    context: typer.Context,
    name: RolloutArgument,
    *,
    why: WhyOption = "",
    revision: RevisionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """End it: who was seen to run it keeps it, everybody else is not to have it."""
    from corral.farm.domain.rollout.rollout import rollout_name  # noqa: PLC0415

    application = opening.opened(context, farm)
    _moved(application.stop_rollout(rollout_name(name), why, revision), as_json=as_json)


@commands.command("take-back", epilog="Example: corral rollout take-back debian-3 --why slow")
def take_back(  # noqa: PLR0913 - one for each option of the command
    context: typer.Context,
    name: RolloutArgument,
    *,
    why: WhyOption = "",
    revision: RevisionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have everybody who has it go back to what they had."""
    from corral.farm.domain.rollout.rollout import rollout_name  # noqa: PLC0415

    application = opening.opened(context, farm)
    _moved(application.take_rollout_back(rollout_name(name), why, revision), as_json=as_json)


@commands.command("retry", epilog="Example: corral rollout retry debian-3 laptop/rboston")
def retry(
    context: typer.Context,
    name: RolloutArgument,
    machines: Annotated[
        list[str] | None,
        typer.Argument(
            help="COMPUTER/USER, or a COMPUTER that is given a kit.",
            metavar="MACHINE",
            show_default="all that failed or went back",
        ),
    ] = None,
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have machines try again; gives nothing back to the limits."""
    from corral.farm.domain.rollout.errors import RolloutMemberUnknownError  # noqa: PLC0415
    from corral.farm.domain.rollout.rollout import rollout_name  # noqa: PLC0415

    application = opening.opened(context, farm)
    known = {
        rollout_documents.machine_name(one.computer, one.user): one.member.id
        for one in application.show_rollout(rollout_name(name)).members
    }
    wanted = []
    for machine in machines or ():
        if machine not in known:
            raise RolloutMemberUnknownError(name, machine)
        wanted.append(known[machine])
    _moved(application.retry_rollout(rollout_name(name), wanted), as_json=as_json)


@commands.command("remove", epilog="Example: corral rollout remove debian-3")
def remove(
    context: typer.Context,
    name: RolloutArgument,
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Forget one that has ended; machines then have what they have by rule."""
    from corral.farm.domain.rollout.rollout import rollout_name  # noqa: PLC0415

    removed = opening.opened(context, farm).remove_rollout(rollout_name(name))
    if as_json:
        print_json({"name": removed.name, "state": removed.state.value})
        return
    print_line(f"rollout {removed.name} is forgotten")


def _moved(rollout: "Rollout", *, as_json: bool) -> None:
    if as_json:
        document = {"name": rollout.name, "state": rollout.state.value, "why": rollout.why}
        print_json({**document, "revision": rollout.revision})
        return
    why = f": {rollout.why}" if rollout.why else ""
    print_line(f"rollout {rollout.name} is {rollout.state.value}{why}")
