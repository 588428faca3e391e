"""``corral farm check``."""

import typer

from corral.farm.entrypoints.cli import check_documents, opening
from corral.farm.entrypoints.cli.failures import ExitCode
from corral.farm.entrypoints.cli.opening import FarmOption, JsonOption
from corral.farm.entrypoints.cli.output import print_json, print_line, print_table


def check_farm(
    context: typer.Context, *, farm: FarmOption = None, as_json: JsonOption = False
) -> None:
    """Look at the whole farm and say what is not as it should be.

    Ends with 0 if there is nothing above a notice, else with 7.
    """
    report = opening.opened(context, farm).check_farm()
    if as_json:
        print_json(check_documents.farm_check(report))
    else:
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
        print_table(
            "Findings",
            ("SEVERITY", "CODE", "ABOUT", "WHAT", "WAY OUT"),
            (
                (
                    one.kind.severity.value,
                    one.kind.code,
                    one.thing,
                    one.message,
                    one.kind.way_out,
                )
                for one in report.findings
            ),
            empty="nothing was found",
        )
        for skipped in report.not_applicable:
            print_line(f"not looked at: {skipped.check}: {skipped.why}")
    if not report.is_passed:
        raise typer.Exit(ExitCode.FINDINGS)
