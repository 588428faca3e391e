"""What the commands share: the agent is asked, and its answer is printed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from corral.engine.entrypoints.cli.agent_client import ask

DEFAULT_STATE: Final = Path("/var/lib/corral-engine")

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.", show_default=False)]


@dataclass
class Root:
    """What stands before a command."""

    state: Path = DEFAULT_STATE


def state_of(context: typer.Context) -> Path:
    """Give the state folder that a command is about."""
    root = context.find_object(Root) or Root()
    return root.state


def tell(context: typer.Context, path: str, *, as_json: bool) -> None:
    """Have the agent do something."""
    ask(state_of(context), "POST", path)
    done(as_json=as_json)


def done(*, as_json: bool) -> None:
    """Say to a program that it was done; people are told nothing."""
    if as_json:
        print_json({"done": True})


def line_of(one: dict[str, Any]) -> str:
    """Say in a line how a machine is."""
    words = [f"{one['name']}@{one['user']}", one["mode"], one["power"], one["state"]]
    if one["version"]:
        words.append(one["version"])
    if one["total_bytes"] and one["done_bytes"] < one["total_bytes"]:
        words.append(f"{one['done_bytes'] * 100 // one['total_bytes']} %")
    if one["problem"]:
        words.append(one["problem"])
    return "  ".join(words)


def print_json(document: object) -> None:
    """Print one JSON document."""
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False))
