"""Write docs/reference/upgrade-check.md from the kinds of obstacles; ``--check`` only compares."""

import sys
from pathlib import Path
from typing import Final

from corral.farm.domain.upgrade.obstacle import Ends, Obstacle

PAGE: Final = Path(__file__).parent.parent / "docs" / "reference" / "upgrade-check.md"

HEAD: Final = """\
# What can be in the way of an upgrade

Written by `tools/upgrade_reference.py` from the kinds of obstacles; change those, then run it.

`corral upgrade check KIT` and `GET /v1/upgrade/check?kit=KIT` look at everything that an upgrade of
the farm depends on, as of one moment, and change nothing. The command ends with 0 if nothing is in
the way, else with 7. A code never changes its meaning.

The plan of an upgrade uses the same codes for what keeps a step from being taken. None of them can
be forced. Where the last column says *yes*, a named person can accept the risk for a
named thing until a date; what says *waits* ends without anybody. [How an upgrade
decides](../explanation/upgrades.md) is told elsewhere.

| code | what it means | what ends it | can be accepted |
|---|---|---|---|
"""


ENDS: Final = {Ends.PERSON: "no", Ends.ACCEPTED: "yes", Ends.ITSELF: "waits"}


def render() -> str:
    """Give the page."""
    rows = (
        f"| `{one.code}` | {one.meaning} | {one.way_out} | {ENDS[one.ends]} |" for one in Obstacle
    )
    return HEAD + "\n".join(rows) + "\n"


def main() -> int:
    """Write the page, or compare it."""
    page = render()
    if "--check" in sys.argv:
        return 0 if PAGE.read_text(encoding="utf-8") == page else 1
    PAGE.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
