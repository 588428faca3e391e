"""``corral upgrade``: begin one, follow it, move it, and accept its risks."""

from typing import TYPE_CHECKING, Annotated

import typer

from corral.farm.entrypoints.cli import completion, opening, upgrade_documents
from corral.farm.entrypoints.cli.edits import RevisionOption
from corral.farm.entrypoints.cli.opening import FarmOption, JsonOption
from corral.farm.entrypoints.cli.output import (
    human_time,
    print_facts,
    print_json,
    print_line,
    print_table,
)
from corral.farm.entrypoints.cli.times import time_span

if TYPE_CHECKING:
    from corral.farm.application.show_upgrade import UpgradeStatus
    from corral.farm.domain.upgrade.blueprint import Step
    from corral.farm.domain.upgrade.inventory import SeenServer
    from corral.farm.domain.upgrade.upgrade import Upgrade

commands = typer.Typer()

KitArgument = Annotated[
    str,
    typer.Argument(
        help="A kit of the farm's software, in the library.",
        metavar="KIT",
        autocompletion=completion.library,
    ),
]
WhyOption = Annotated[
    str, typer.Option("--why", metavar="TEXT", help="For the others.", show_default=False)
]
RiskArgument = Annotated[
    str,
    typer.Argument(
        help="A code and what it is about, as 'corral upgrade status' names it.", metavar="RISK"
    ),
]


FirstOption = Annotated[
    list[str] | None,
    typer.Option(
        "--first",
        metavar="SERVER",
        help="A server to begin with, such as the one where tests run; several.",
        show_default="whichever bears least",
    ),
]


@commands.command("plan", epilog="Example: corral upgrade plan farm-5.0 --runbook > plan.md")
def plan(  # noqa: PLR0913 - one for each option of the command
    context: typer.Context,
    kit: KitArgument,
    *,
    explain: Annotated[
        bool, typer.Option("--explain", help="Tell each step; what is told without an option.")
    ] = False,
    runbook: Annotated[
        bool, typer.Option("--runbook", help="As commands, for whoever does it by hand.")
    ] = False,
    sql: Annotated[
        bool,
        typer.Option("--sql", help="The change of the schema, for a database administrator."),
    ] = False,
    first: FirstOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell every step of an upgrade, what it waits for, and who moves where; changes nothing."""
    from corral.farm.domain.estate.server import server_name  # noqa: PLC0415 - not for `--help`
    from corral.farm.domain.library.item import item_name  # noqa: PLC0415

    if explain + runbook + sql > 1:
        message = "one of --explain, --runbook and --sql at a time"
        raise typer.BadParameter(message)
    tell = opening.opened(context, farm).plan_upgrade
    checked, names = item_name(kit), tuple(map(server_name, first or ()))
    if sql:
        text = tell.script(checked)
    else:
        text = tell.by_hand(checked, names) if runbook else tell(checked, names)
    if as_json:
        print_json({"kit": kit, "text": text})
        return
    print_line(text.rstrip("\n"))


@commands.command("run", epilog="Example: corral upgrade run farm-5.0 --first s2")
def run(  # noqa: PLR0913 - one for each option of the command
    context: typer.Context,
    kit: KitArgument,
    *,
    first: FirstOption = None,
    soak: Annotated[
        str,
        typer.Option(
            "--soak",
            metavar="TIME",
            help="How long everything runs the new release before it can be finalised.",
        ),
    ] = "1h",
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Begin to upgrade the farm; the workers take the steps, one after the other.

    Refused while 'corral upgrade check' finds something in the way. 'corral upgrade status' shows
    how far it is. Until 'corral upgrade finalise' it can be taken back while devices stream.
    """
    from corral.farm.application.start_upgrade import UpgradeRequest  # noqa: PLC0415 - not for help
    from corral.farm.domain.estate.server import server_name  # noqa: PLC0415
    from corral.farm.domain.library.item import item_name  # noqa: PLC0415

    request = UpgradeRequest(
        item_name(kit), time_span(soak, "--soak"), tuple(map(server_name, first or ()))
    )
    _moved(opening.opened(context, farm).start_upgrade(request), as_json=as_json)


@commands.command("status", epilog="Example: corral upgrade status")
def status(context: typer.Context, *, farm: FarmOption = None, as_json: JsonOption = False) -> None:
    """Show how far the upgrade is, what comes next, and why something does not."""
    found = opening.opened(context, farm).show_upgrade()
    if as_json:
        print_json(upgrade_documents.status(found))
        return
    _tell(found)


@commands.command("list", epilog="Example: corral upgrade list")
def list_upgrades(
    context: typer.Context, *, farm: FarmOption = None, as_json: JsonOption = False
) -> None:
    """List the farm's upgrades, oldest first."""
    found = opening.opened(context, farm).list_upgrades()
    if as_json:
        print_json({"upgrades": [upgrade_documents.upgrade(one) for one in found]})
        return
    print_table(
        "",
        (">NUMBER", "FROM", "TO", "STATE", "STARTED", "BY", "WHY"),
        (
            (
                str(one.number),
                str(one.old),
                str(one.new),
                one.state.value,
                human_time(one.started_at),
                one.started_by,
                one.why,
            )
            for one in found
        ),
        empty="no upgrades yet: corral upgrade run",
    )


@commands.command("pause", epilog="Example: corral upgrade pause --why lunch")
def pause(
    context: typer.Context,
    *,
    why: WhyOption = "",
    revision: RevisionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Begin no further step; one that has begun ends."""
    moved = opening.opened(context, farm).pause_upgrade(why, revision=revision)
    _moved(moved, as_json=as_json)


@commands.command("resume", epilog="Example: corral upgrade resume")
def resume(
    context: typer.Context,
    *,
    revision: RevisionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Go on; what had failed is tried again."""
    _moved(opening.opened(context, farm).resume_upgrade(revision=revision), as_json=as_json)


@commands.command("finalise", epilog="Example: corral upgrade finalise")
def finalise(
    context: typer.Context,
    *,
    revision: RevisionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take away what only the old release needs: there is no way back after it."""
    _moved(opening.opened(context, farm).finalise_upgrade(revision=revision), as_json=as_json)


@commands.command("roll-back", epilog="Example: corral upgrade roll-back --why 'slow starts'")
def roll_back(
    context: typer.Context,
    *,
    why: WhyOption = "",
    revision: RevisionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring everything back to the old release, server by server, while devices stream."""
    moved = opening.opened(context, farm).roll_upgrade_back(why, revision=revision)
    _moved(moved, as_json=as_json)


@commands.command(
    "accept",
    epilog="Example: corral upgrade accept 'computers-behind computer laptop'"
    " --until 2026-12-24T18:00Z --because 'it is in the cellar'",
)
def accept(  # noqa: PLR0913 - one for each option of the command
    context: typer.Context,
    risk: RiskArgument,
    *,
    until: Annotated[
        str,
        typer.Option("--until", metavar="WHEN", help="Until this date, with its time and zone."),
    ],
    because: Annotated[
        str, typer.Option("--because", metavar="TEXT", help="Why, for all who read the report.")
    ],
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a named risk upon yourself until a date. Every report shows it.

    Nothing overrides a refusal as such: what can be accepted has a name.
    """
    from corral.farm.domain.upgrade.acceptance import moment_of  # noqa: PLC0415 - not for `--help`

    application = opening.opened(context, farm)
    accepted = application.accept_risk(risk, moment_of(risk, until), because)
    if as_json:
        print_json(upgrade_documents.risk(accepted, accepted.accepted_at))
        return
    print_line(f"{accepted.risk} is accepted by {accepted.by} until {human_time(accepted.until)}")


@commands.command(
    "withdraw", epilog="Example: corral upgrade withdraw 'computers-behind computer laptop'"
)
def withdraw(
    context: typer.Context,
    risk: RiskArgument,
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take back that a risk was accepted."""
    count = opening.opened(context, farm).withdraw_acceptance(risk)
    if as_json:
        print_json({"risk": risk, "withdrawn": count})
        return
    print_line(f"{risk} is not accepted any more")


@commands.command("risks", epilog="Example: corral upgrade risks")
def risks(context: typer.Context, *, farm: FarmOption = None, as_json: JsonOption = False) -> None:
    """List what was accepted, by whom, until when and why; also what is over."""
    found = opening.opened(context, farm).list_acceptances()
    if as_json:
        print_json({"risks": [upgrade_documents.risk(one, found.at) for one in found.risks]})
        return
    print_table(
        "",
        ("RISK", "BY", "UNTIL", "BECAUSE"),
        (
            (
                one.risk,
                one.by,
                human_time(one.until) if one.covers(one.risk, found.at) else "over",
                one.because,
            )
            for one in found.risks
        ),
        empty="nothing was accepted",
    )


def _tell(found: "UpgradeStatus") -> None:
    look, plan = found.look, found.plan
    upgrade = look.upgrade
    following = "nothing" if plan.step is None else _words(found, plan.step)
    print_facts(
        [
            fact
            for fact in [
                ("upgrade", f"{upgrade.number}, from {upgrade.old} to {upgrade.new}"),
                ("state", upgrade.state.value),
                ("why", upgrade.why),
                ("started", f"{human_time(upgrade.started_at)} by {upgrade.started_by}"),
                ("steps taken", str(len(look.history))),
                ("next", following),
                ("decided on", plan.evidence),
                ("nobody can", found.untaken),
                ("waits for", "; ".join(one.message for one in plan.waits_for)),
            ]
            if fact[1]
        ]
    )
    print_table(
        "",
        ("SERVER", "RELEASE", "STATE", ">SESSIONS", "PROBLEM"),
        (
            (
                one.name,
                str(one.release or "unknown"),
                _standing(one),
                str(one.session_count),
                one.problem,
            )
            for one in look.inventory.servers
        ),
        empty="no servers",
    )
    if plan.blocked:
        print_table(
            "Not done now",
            ("STEP", "RISK", "WHY", "WAY OUT"),
            ((_about(found, one.step), one.risk, one.message, one.way_out) for one in plan.blocked),
            empty="",
        )
    in_force = [one for one in look.policy.acceptances if one.covers(one.risk, look.at)]
    if in_force:
        print_table(
            "Accepted",
            ("RISK", "BY", "UNTIL", "BECAUSE"),
            ((one.risk, one.by, human_time(one.until), one.because) for one in in_force),
            empty="",
        )


def _about(found: "UpgradeStatus", step: "Step | None") -> str:
    return "" if step is None else _words(found, step)


def _words(found: "UpgradeStatus", step: "Step") -> str:
    words = [step.kind.value]
    if step.server is not None:
        words.append(found.look.name_of(step.server))
    if step.release is not None:
        words.append(f"to {step.release}")
    return " ".join(words)


def _standing(server: "SeenServer") -> str:
    if not server.is_online:
        return "unknown"
    if server.is_resting:
        return "resting"
    if server.is_draining:
        return "draining" if server.session_count else "drained"
    return "serving"


def _moved(upgrade: "Upgrade", *, as_json: bool) -> None:
    if as_json:
        print_json(upgrade_documents.upgrade(upgrade))
        return
    print_line(
        f"upgrade {upgrade.number} from {upgrade.old} to {upgrade.new} is {upgrade.state.value}:"
        " 'corral upgrade status' shows how far it is"
    )
