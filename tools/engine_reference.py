"""Write docs/reference/engine.md from the engine's own code; ``--check`` only compares."""

import ast
import importlib
import inspect
import pkgutil
import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import corral.engine.domain
from corral.engine.domain.errors import concrete_errors
from corral.engine.domain.machine import stage
from corral.engine.domain.machine.stage import TRANSITIONS, Event, Stage
from corral.engine.domain.slots import stage as slots_stage
from corral.engine.domain.slots.stage import KIT_TRANSITIONS, KitEvent, KitStage
from corral.engine.entrypoints.cli.main import app
from corral.engine.entrypoints.cli.root import exit_code_of

sys.path.insert(0, str(Path(__file__).parent))
cli_reference = importlib.import_module("cli_reference")

PAGE: Final = Path(__file__).parent.parent / "docs" / "reference" / "engine.md"

HEAD: Final = """\
# The engine

Written by `tools/engine_reference.py` from the commands, the table of a machine's stages and the
error classes; change those, then run it.

`corral-engine` keeps everything in its state folder: `--state` before the command; else the one in
the variable `CORRAL_ENGINE_STATE`; else `/var/lib/corral-engine`. With `--json` a command prints
one JSON document. How the engine goes about it: [Run an engine](../how-to/run-an-engine.md).

## The state folder

| file | what it is |
|---|---|
| `identity.key` | the computer's private key (Ed25519), made on it; only its owner can read it |
| `farm.json` | the farm that it belongs to, and its public key |
| `orders.json` | the orders in force, as the farm signed them |
| `sequence` | the number of the last check-in |
| `events.json` | what the farm has not heard of yet |
| `store/` | the chunk store ([format](../formats/store.md)) |
| `machines/IMAGE@USER/` | a machine's folder; in it: |
| `state.json` | how far a virtual machine is: the table below |
| `system.qcow2` | its system disk, made anew at each start of a shared one |
| `tools-RELEASE.qcow2` | guest tools that the engine has brought to a shared one |
| `user.qcow2` | the disk that outlives each start |
| `disks.json` | what the disk process offers |
| `slots/a/`, `slots/b/` | a release of the engine each, out of a kit |
| `slots/state.json` | which slot is in use, and how far the next release is: the second table |
| `run/` | sockets: of agent, disk process, and each machine's monitor, guest agent and screen |
| `kvm-broken` | the kernel that gave up on a guest: machines are emulated under it |
"""


def render() -> str:
    """Give the page."""
    for module in pkgutil.walk_packages(corral.engine.domain.__path__, "corral.engine.domain."):
        importlib.import_module(module.name)
    lines = [cli_reference.page_of(cli_reference.root_of(app), "corral-engine", HEAD)]
    lines += ["## Stages of a machine", ""]
    lines += _drawn(TRANSITIONS, Stage.EMPTY, Stage, Event, stage)
    lines += ["", "## Stages of a release of the engine", ""]
    lines += _drawn(KIT_TRANSITIONS, KitStage.RESTING, KitStage, KitEvent, slots_stage)
    lines += ["", "## Errors", "", "| code | rule | exit code |", "|---|---|---:|"]
    for kind in concrete_errors():
        rule = " ".join((inspect.getdoc(kind) or "").split())
        lines.append(f"| `{kind.code}` | {rule} | {exit_code_of(kind).value} |")
    return "\n".join(lines) + "\n"


def _drawn(
    table: Mapping[tuple[Any, Any], StrEnum],
    first: StrEnum,
    stages: type[StrEnum],
    events: type[StrEnum],
    module: ModuleType,
) -> list[str]:
    """Draw a table of stages, and say what each and each event is."""
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {first}"]
    lines += [f"    {before} --> {after}: {event}" for (before, event), after in table.items()]
    lines += ["```", "", "| stage | meaning |", "|---|---|"]
    said = _docstrings(stages, module)
    lines += [f"| {one} | {said.get(one.name, '')} |" for one in stages]
    said = _docstrings(events, module)
    return [*lines, "", *(f"- **{one}**: {said[one.name]}" for one in events if one.name in said)]


def _docstrings(enum: type, module: ModuleType) -> dict[str, str]:
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
