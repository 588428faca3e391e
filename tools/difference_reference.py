"""Write docs/reference/difference.md from the kinds of differences; ``--check`` only compares."""

import sys
from pathlib import Path
from typing import Final

from corral.farm.domain.backup.difference import DifferenceKind

PAGE: Final = Path(__file__).parent.parent / "docs" / "reference" / "difference.md"

HEAD: Final = """\
# What differs after a restore

Written by `tools/difference_reference.py` from the kinds of differences; change those, then run it.

A farm that was [restored](../how-to/back-up-a-farm.md#restore) observes until somebody accepts what
differs. `corral farm difference` and `GET /v1/farm/difference` show it with three values: what the
backup says, what the farm is known to have said or heard last, and what is so, as servers and
computers say. A code never changes its meaning.

| code | what it means | what accepting does |
|---|---|---|
"""


def render() -> str:
    """Give the page."""
    lines = [f"| `{kind.code}` | {kind.meaning} | {kind.accepting} |" for kind in DifferenceKind]
    return HEAD + "\n".join(lines) + "\n"


def main() -> int:
    """Write the page, or compare it."""
    page = render()
    if "--check" in sys.argv:
        return 0 if PAGE.read_text(encoding="utf-8") == page else 1
    PAGE.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
