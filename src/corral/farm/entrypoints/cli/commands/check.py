"""``corral farm check``."""

from typing import TYPE_CHECKING

import typer

from corral.farm.entrypoints.cli import check_documents, opening
from corral.farm.entrypoints.cli.failures import ExitCode
from corral.farm.entrypoints.cli.opening import FarmOption, JsonOption
from corral.farm.entrypoints.cli.output import print_json, print_line, print_table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from corral.farm.application.check_farm import FarmCheck
    from corral.farm.domain.check.database import BlindCheck
    from corral.farm.domain.check.finding import Finding, NotApplicable


commands = typer.Typer()


@commands.command("check", epilog="Example: corral farm check --json")
def check_farm(
    context: typer.Context, *, farm: FarmOption = None, as_json: JsonOption = False
) -> None:
    """Look at the whole farm and say what is not as it should be.

    Ends with 0 if there is nothing above a notice, else with 7. A database that cannot be used is a
    finding, too.
    """
    from corral.farm.entrypoints.cli.blind_check import UNUSABLE, blind_check  # noqa: PLC0415 - dear

    try:
        report = opening.opened(context, farm).check_farm()
    except UNUSABLE as error:
        _say_blind(blind_check(opening.settings_of(context, farm), error), as_json=as_json)
        raise typer.Exit(ExitCode.FINDINGS) from error
    _say(report, as_json=as_json)
    if not report.is_passed:
        raise typer.Exit(ExitCode.FINDINGS)


def _say(report: "FarmCheck", *, as_json: bool) -> None:
    if as_json:
        print_json(check_documents.farm_check(report))
        return
    print_table(
        "Versions",
        ("VERSION", "ROOT", "SERVED BY", ">RUN IT", ">WOULD START IT"),
        (
            (
                str(one.name),
                one.root.short,
                " ".join(one.servers) or "nobody",
                str(one.running),
                str(one.starting),
            )
            for one in report.versions
        ),
        empty="the farm has no version yet",
    )
    _print_findings(report.findings)
    addresses = " ".join(report.login_addresses)
    print_line(f"devices can log in at {addresses}: each asks those that its own 'urls' name")
    _print_not_looked_at(report.not_applicable)


def _say_blind(report: "BlindCheck", *, as_json: bool) -> None:
    if as_json:
        print_json(check_documents.blind_check(report))
        return
    _print_findings(report.findings)
    _print_not_looked_at(report.not_applicable)


def _print_findings(findings: "Iterable[Finding]") -> None:
    print_table(
        "Findings",
        ("SEVERITY", "CODE", "ABOUT", "WHAT", "WAY OUT"),
        (
            (one.kind.severity.value, one.kind.code, one.thing, one.message, one.kind.way_out)
            for one in findings
        ),
        empty="nothing was found",
    )


def _print_not_looked_at(skipped: "Iterable[NotApplicable]") -> None:
    for one in skipped:
        print_line(f"not looked at: {one.check}: {one.why}")
