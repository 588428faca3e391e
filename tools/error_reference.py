"""Write docs/reference/errors.md from the error classes; ``--check`` only compares."""

import importlib
import inspect
import pkgutil
import sys
from pathlib import Path
from typing import Final

import corral.farm.domain
from corral.farm.domain.errors import DomainError, concrete_errors
from corral.farm.entrypoints.cli.failures import ExitCode, exit_code_of
from corral.farm.entrypoints.http.problems import status_of

PAGE: Final = Path(__file__).parent.parent / "docs" / "reference" / "errors.md"

HEAD: Final = """\
# Errors

Written by `tools/error_reference.py` from the error classes; change those, then run it.

Every error has a stable code. The command line prints `error: MESSAGE` and `code: CODE` on the
standard error stream (with `--json` one JSON object with `code` and `message`) and ends with the
exit code below. The API answers with `application/problem+json` whose `code` is the same. The
message names the thing, the rule and the way out.

## Exit codes

| exit code | meaning |
|---:|---|
"""

MEANINGS: Final = {
    ExitCode.DONE: "done",
    ExitCode.REFUSED: "a rule forbids it, or what was given cannot be right",
    ExitCode.USAGE: "the command line itself is wrong",
    ExitCode.UNKNOWN: "the named thing does not exist",
    ExitCode.TRY_AGAIN: "the same command may succeed later",
    ExitCode.DAMAGED: "damaged bytes were found, also by a command whose work is to look for them",
    ExitCode.ENVIRONMENT: "this machine lacks something",
    ExitCode.FINDINGS: "the farm check found something above a notice",
    ExitCode.UNEXPECTED: "a fault of Corral's own; the message says where it was written down",
    ExitCode.INTERRUPTED: "interrupted or cancelled; nothing was published",
}


BAD_INPUT: Final = (
    (
        "subnets that overlap",
        "subnets-overlap",
        "tests/integration/farm/test_bad_input.py",
        "test_subnets_that_overlap_are_refused_with_both_names",
    ),
    (
        "a store's folder that another farm uses",
        "store-other-farm",
        "tests/integration/farm/test_foreign_stores.py",
        "test_a_store_of_another_farm_is_refused",
    ),
    (
        "a network card in two devices",
        "mac-taken",
        "tests/integration/farm/test_bad_input.py",
        "test_a_network_card_belongs_to_one_device",
    ),
    (
        "a promotion while the device writes",
        "writer-on",
        "tests/integration/farm/test_writing.py",
        "test_what_a_device_writes_becomes_the_next_version",
    ),
    (
        "deleting a version that a device streams",
        "version-streamed",
        "tests/integration/farm/test_bad_input.py",
        "test_a_version_that_a_device_streams_is_not_deleted",
    ),
    (
        "a power rating out of range",
        "rating-out-of-range",
        "tests/integration/farm/test_bad_input.py",
        "test_a_power_rating_is_from_a_tenth_to_a_thousand",
    ),
    (
        "a server's clock that is ten minutes off (found by the farm check)",
        "clock-wrong",
        "tests/integration/http/test_bad_input.py",
        "test_a_clock_that_is_ten_minutes_off_is_found",
    ),
    (
        "two administrators who change one thing",
        "server-changed",
        "tests/integration/farm/test_bad_input.py",
        "test_the_second_of_two_administrators_is_told_and_changes_nothing",
    ),
    (
        "a flood of logins",
        "login-flood",
        "tests/integration/http/test_api.py",
        "test_a_flood_of_logins_is_bounded_and_others_are_served",
    ),
    (
        "a device that claims to be another",
        "device-identity",
        "tests/integration/farm/test_streaming.py",
        "test_a_wrong_key_and_an_unknown_device_are_refused_alike",
    ),
)
"""What people and machines get wrong most, the code of the answer, and where it is tried."""


def render() -> str:
    """Give the page."""
    for module in pkgutil.walk_packages(corral.farm.domain.__path__, "corral.farm.domain."):
        importlib.import_module(module.name)
    lines = [HEAD.rstrip("\n")]
    lines += [f"| {code.value} | {meaning} |" for code, meaning in MEANINGS.items()]
    lines += [
        "",
        "## Codes",
        "",
        "| code | rule | exit code | HTTP status |",
        "|---|---|---:|---:|",
    ]
    lines += [_row(kind) for kind in concrete_errors()]
    lines += [
        "",
        "## What goes wrong most",
        "",
        "Each is tried with the command line or over the API, against real processes or sockets.",
        "",
        "| what | code | tried in |",
        "|---|---|---|",
    ]
    lines += [f"| {what} | `{code}` | `{file}`, `{test}` |" for what, code, file, test in BAD_INPUT]
    return "\n".join(lines) + "\n"


def _row(kind: type[DomainError]) -> str:
    rule = " ".join((inspect.getdoc(kind) or "").split())
    return f"| `{kind.code}` | {rule} | {exit_code_of(kind).value} | {status_of(kind)} |"


def main() -> int:
    """Write the page, or compare it."""
    page = render()
    if "--check" in sys.argv:
        return 0 if PAGE.read_text(encoding="utf-8") == page else 1
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
