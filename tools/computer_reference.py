"""Write docs/reference/computers.md from the tables; ``--check`` only compares."""

from __future__ import annotations

import ast
import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from corral.farm.domain.computer import state, why
from corral.farm.domain.computer.state import TRANSITIONS, ComputerEvent, ComputerState
from corral.farm.domain.computer.why import Why
from corral.farm.entrypoints.cli.whys import SAID

if TYPE_CHECKING:
    from collections.abc import Iterator
    from enum import StrEnum
    from types import ModuleType

PAGE: Final = Path(__file__).parent.parent / "docs" / "reference" / "computers.md"

HEAD: Final = """\
# Computers: how they stand, and why they differ

Written by `tools/computer_reference.py` from the tables in `corral.farm.domain.computer`, by which
every command and every check-in is checked; change those, then run it.

## How a computer stands with its farm

What is not in the table is refused with `computer-transition`. A kill is undone until the computer
has been told (`computer-told`), and one that has not been told is not forgotten
(`computer-kill-pending`).

```mermaid
"""

WHYS: Final = """
## Why what runs is not what is assigned

A closed list: each machine has one of these reasons, or runs what it should. They are looked for in
this order. `corral image users IMAGE`, `corral user images USER`, `corral computer images COMPUTER`
show them, with when the computer was last heard of, and how far it is.

| reason | shown as | meaning |
|---|---|---|
"""


def render() -> str:
    """Give the page."""
    return HEAD + "\n".join([*_diagram(), "```", "", *_states(), "", *_moves(), ""]) + _whys()


def _diagram() -> Iterator[str]:
    yield "stateDiagram-v2"
    yield "    [*] --> waiting: asks to be registered"
    yield "    [*] --> registered: asks with a one-time code"
    for (before, event), after in TRANSITIONS.items():
        yield f"    {before} --> {after or '[*]'}: {event}"
    yield f"    {ComputerState.RECYCLED} --> [*]: registers anew"


def _states() -> Iterator[str]:
    yield "| state | meaning |"
    yield "|---|---|"
    said = _docstrings(state, ComputerState)
    for one in ComputerState:
        yield f"| {one} | {said[one.name]} |"


def _moves() -> Iterator[str]:
    yield "| from | event | to |"
    yield "|---|---|---|"
    for (before, event), after in TRANSITIONS.items():
        yield f"| {before} | {event} | {after or 'forgotten'} |"
    yield ""
    said = _docstrings(state, ComputerEvent)
    yield from (f"- **{one}**: {said[one.name]}" for one in ComputerEvent if one.name in said)


def _whys() -> str:
    said = _docstrings(why, Why)
    rows = (f"| `{one}` | {SAID[one]} | {said[one.name]} |" for one in Why)
    return WHYS + "\n".join(rows) + "\n"


def _docstrings(module: ModuleType, enum: type[StrEnum]) -> dict[str, str]:
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
