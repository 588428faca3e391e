"""Write docs/reference/cli.md from the commands themselves; ``--check`` only compares."""

from __future__ import annotations

import inspect
import sys
from enum import Enum, EnumMeta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption
from typer.main import get_command

from corral.farm.entrypoints.cli.main import app

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from typer import Typer

PAGE: Final = Path(__file__).parent.parent / "docs" / "reference" / "cli.md"

HEAD: Final = """\
# The command line

Written by `tools/cli_reference.py` from the commands; change those, then run it.

`corral` works on the farm whose folder `--farm` names, before or behind the command; else the
one in the variable `CORRAL_FARM`; else `/var/lib/corral`. Every command has `--json` and then
prints one JSON document (a long-lived process writes its log as JSON). Errors go to the standard
error stream with a code ([errors and exit codes](errors.md)). `corral --install-completion`
teaches your shell the commands, and the names of this farm's servers, images, versions and devices.

`corral-target`, the client of a device, is a program of its own: `corral-target help`.
"""

_EVERYWHERE: Final = ("--farm", "--json", "--help")
"""Told once, at the head of the page."""
_PLAIN: Final = {str: "TEXT", Path: "PATH", int: "N"}


def render() -> str:
    """Give the page."""
    return page_of(root_of(app), "corral", HEAD)


def root_of(program: Typer) -> TyperGroup:
    """Give the commands of a program, of which there are several."""
    root = get_command(program)
    assert isinstance(root, TyperGroup)  # noqa: S101 - of a program with one it would be a command
    return root


def page_of(root: TyperGroup, program: str, head: str) -> str:
    """Give the page of a program's commands."""
    lines = [head]
    lines += [f"## {program}", "", *_options(root.params, told=("--help",))]
    for name, group in _commands(root):
        lines += [f"## {program} {name}", ""]
        if isinstance(group, TyperGroup):
            lines += [_sentence(group.help), ""]
            for verb, command in _commands(group):
                path = f"{program} {name} {verb}"
                lines += [f"### {path}", "", *_command(path, command)]
        else:
            lines += _command(f"{program} {name}", group)
    return "\n".join(lines).rstrip("\n") + "\n"


def _commands(group: TyperGroup) -> Iterator[tuple[str, TyperCommand | TyperGroup]]:
    for name, command in group.commands.items():
        if isinstance(command, TyperCommand | TyperGroup) and not command.hidden:
            yield name, command


def _command(path: str, command: TyperCommand | TyperGroup) -> list[str]:
    arguments = [p for p in command.params if isinstance(p, TyperArgument)]
    required = [p for p in command.params if isinstance(p, TyperOption) and p.required]
    usage = [path, *(str(p.metavar) for p in arguments)]
    usage += [f"{p.opts[0]} {_value(p)}" for p in required]
    if len(required) < len(command.params) - len(arguments):
        usage.append("[OPTIONS]")
    lines = ["```text", " ".join(usage), "```", "", _sentence(command.help), ""]
    if arguments:
        lines += ["| argument | |", "|---|---|"]
        lines += [f"| `{p.metavar}` | {_cell(p.help)} |" for p in arguments]
        lines.append("")
    lines += _options(command.params, told=_EVERYWHERE)
    if command.epilog:
        lines += ["```console", "$ " + command.epilog.removeprefix("Example: "), "```", ""]
    return lines


def _options(parameters: Iterable[object], told: tuple[str, ...]) -> list[str]:
    options = [
        p
        for p in parameters
        if isinstance(p, TyperOption) and not p.hidden and p.opts[0] not in told
    ]
    if not options:
        return []
    return ["| option | | default |", "|---|---|---|", *map(_row, options), ""]


def _row(option: TyperOption) -> str:
    name = ", ".join(sorted(option.opts, key=len, reverse=True))
    written = name if option.is_flag else f"{name} {_value(option)}"
    default = "*required*" if option.required else _default(option)
    # A bar would end the cell, even inside a code span.
    return f"| `{_cell(written)}` | {_cell(option.help)} | {default} |"


def _value(option: TyperOption) -> str:
    if option.metavar is not None:
        return option.metavar
    kind = option.type_descriptor.annotation
    if isinstance(kind, EnumMeta):
        choices: Iterable[Enum] = kind
        return "|".join(str(one.value) for one in choices)
    return _PLAIN[kind]


def _default(option: TyperOption) -> str:
    if isinstance(option.show_default, str):
        return option.show_default
    if option.is_flag or option.default in (None, "") or option.show_default is False:
        return ""
    return f"`{getattr(option.default, 'value', option.default)}`"


def _cell(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")


def _sentence(text: str | None) -> str:
    return inspect.cleandoc(text or "")


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
