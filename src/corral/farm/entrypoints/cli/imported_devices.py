"""Say what became of many devices that were to be registered at once."""

from typing import TYPE_CHECKING

import typer

from corral.farm.entrypoints.cli.failures import ExitCode
from corral.farm.entrypoints.cli.output import print_json, print_line, print_table

if TYPE_CHECKING:
    from corral.farm.application.import_devices import DeviceImport
    from corral.farm.entrypoints.cli.output import Json


def print_imported(done: "DeviceImport", *, is_trial: bool, as_json: bool) -> None:
    """Print it, and end with 1 if a line is bad."""
    if as_json:
        print_json(_document(done))
    elif done.bad:
        print_table(
            "",
            (">LINE", "DEVICE", "CODE", "WHAT IS WRONG"),
            ((str(b.line), b.name, b.error.code, b.error.message) for b in done.bad),
            empty="",
        )
        print_line(f"{len(done.bad)} of {len(done.rows)} lines are bad: nothing was registered")
    elif is_trial:
        print_line(f"all {len(done.rows)} lines are good: nothing was registered yet")
    else:
        where = done.registered[0].key_file.parent if done.registered else ""
        print_line(f"{len(done.registered)} devices are registered; their keys are in {where}")
    if done.bad:
        raise typer.Exit(ExitCode.REFUSED)


def _document(done: "DeviceImport") -> "dict[str, Json]":
    return {
        "lines": len(done.rows),
        "registered": [
            {"name": one.device.name, "key_file": str(one.key_file)} for one in done.registered
        ],
        "bad": [
            {
                "line": bad.line,
                "name": bad.name,
                "code": bad.error.code,
                "message": bad.error.message,
            }
            for bad in done.bad
        ],
    }
