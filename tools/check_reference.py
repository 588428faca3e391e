"""Write docs/reference/farm-check.md from the kinds of findings; ``--check`` only compares."""

import sys
from pathlib import Path
from typing import Final

from corral.farm.domain.check.check import NOT_APPLICABLE
from corral.farm.domain.check.finding import Kind, Severity

PAGE: Final = Path(__file__).parent.parent / "docs" / "reference" / "farm-check.md"

HEAD: Final = """\
# What the farm check finds

Written by `tools/check_reference.py` from the kinds of findings; change those, then run it.

`corral farm check` and `GET /v1/farm/check` look at the whole farm as of one moment and change
nothing. The command ends with 0 if there is nothing above a notice, else with 7. A code never
changes its meaning.

A server that has not reported lately counts as lost where a device needs a place, and as present
where it might still be streaming.
"""


def render() -> str:
    """Give the page."""
    lines = [HEAD.rstrip("\n")]
    for severity in Severity:
        kinds = [kind for kind in Kind if kind.severity is severity]
        lines += ["", f"## {severity.value.capitalize()}s", ""]
        lines += ["| code | what it means | way out |", "|---|---|---|"]
        lines += [f"| `{kind.code}` | {kind.meaning} | {kind.way_out} |" for kind in kinds]
    lines += ["", "## Not looked at", "", "| check | why |", "|---|---|"]
    lines += [f"| {one.check} | {one.why} |" for one in NOT_APPLICABLE]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write the page, or compare it."""
    page = render()
    if "--check" in sys.argv:
        return 0 if PAGE.read_text(encoding="utf-8") == page else 1
    PAGE.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
