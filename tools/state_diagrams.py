"""Write docs/reference/versions.md from the transition table; ``--check`` only compares."""

import ast
import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import Final

from corral.farm.domain.image import standing
from corral.farm.domain.image.standing import TRANSITIONS, Standing, VersionEvent

PAGE: Final = Path(__file__).parent.parent / "docs" / "reference" / "versions.md"

HEAD: Final = """\
# Where a version can stand

Written by `tools/state_diagrams.py` from the table in `corral.farm.domain.image.standing`, by which
every command is checked; change that, then run it. What is not in the table is refused with
`version-transition`.

```mermaid
"""


def render() -> str:
    """Give the page."""
    lines = [HEAD.rstrip("\n"), *_diagram(), "```", "", "## Standings", ""]
    lines += ["| standing | meaning |", "|---|---|"]
    said = _docstrings(standing, Standing)
    lines += [f"| {one} | {said[one.name]} |" for one in Standing]
    lines += ["", "## Moves", "", "| from | event | to |", "|---|---|---|"]
    lines += [f"| {before} | {event} | {after} |" for (before, event), after in TRANSITIONS.items()]
    said = _docstrings(standing, VersionEvent)
    lines += ["", *(f"- **{one}**: {said[one.name]}" for one in VersionEvent if one.name in said)]
    return "\n".join(lines) + "\n"


def _diagram() -> list[str]:
    arrows = [
        f"    {before} --> {after}: {event}" for (before, event), after in TRANSITIONS.items()
    ]
    return [
        "stateDiagram-v2",
        "    [*] --> maintenance: seal an overlay",
        "    [*] --> pending: import",
        *arrows,
        f"    {Standing.DELETED} --> [*]",
    ]


def _docstrings(module: ModuleType, enum: type) -> dict[str, str]:
    """Read the text under each member: Python itself forgets it."""
    found: dict[str, str] = {}
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.ClassDef) and node.name == enum.__name__:
            for member, text in zip(node.body, node.body[1:], strict=False):
                if isinstance(member, ast.Assign) and isinstance(text, ast.Expr):
                    name, value = member.targets[0], text.value
                    if isinstance(name, ast.Name) and isinstance(value, ast.Constant):
                        found[name.id] = " ".join(str(value.value).split())
    return found


def main() -> int:
    """Write the page, or compare it."""
    page = render()
    if "--check" in sys.argv:
        return 0 if PAGE.read_text(encoding="utf-8") == page else 1
    PAGE.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
