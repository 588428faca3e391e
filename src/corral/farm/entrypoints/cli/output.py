"""Answers as tables for people and as JSON for programs."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Final, TypeAlias

from corral.farm.entrypoints.cli.layout import layout_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from rich.table import Table

Json: TypeAlias = "Mapping[str, Json] | Sequence[Json] | str | int | float | bool | None"

_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_STEP: Final = 1024
_TEN: Final = 10


def human_size(amount_bytes: float) -> str:
    """Give a size in binary units with two or three digits that matter."""
    value = float(amount_bytes)
    units = iter(_UNITS)
    unit = next(units)
    # Judged as it will be printed: 1023.96 KiB must not become "1024 KiB".
    while round(value) >= _STEP and (larger := next(units, None)) is not None:
        value /= _STEP
        unit = larger
    digits = 1 if unit != _UNITS[0] and value < _TEN else 0
    return f"{value:.{digits}f} {unit}"


def human_time(moment: datetime | None) -> str:
    """Give a moment in this machine's own time, to the second."""
    return "never" if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def print_json(document: Json) -> None:
    """Print one JSON document."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def print_line(text: str) -> None:
    """Print a line."""
    sys.stdout.write(text + "\n")


def print_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], *, empty: str
) -> None:
    """Print a table, or one line if there is nothing to show; ``>`` begins a column of numbers.

    In a pipe the table is as wide as it needs to be, so that nothing is cut off. On a terminal that
    is too narrow for it, columns with nothing in them are left out and lines are broken between
    words; where that does not suffice, things are printed one after the other.
    """
    given = [tuple(row) for row in rows]
    if not given:
        print_line(empty)
        return
    from rich.console import Console  # noqa: PLC0415 - not for `--help`

    console = Console() if sys.stdout.isatty() else Console(width=10_000)
    layout = layout_of(columns, given, console.width)
    if layout.widths is None:
        if title:
            print_line(title)
        for number, row in enumerate(layout.rows):
            if number:
                print_line("")
            names = [name.removeprefix(">").lower() for name in layout.columns]
            print_facts([fact for fact in zip(names, row, strict=True) if fact[1]])
        return
    table = _table(title, layout.columns, layout.widths)
    table.collapse_padding = layout.is_tight
    for row in layout.rows:
        table.add_row(*row)
    console.print(table)


def print_facts(facts: Sequence[tuple[str, str]]) -> None:
    """Print one thing's facts, a line each."""
    width = max(len(name) for name, _ in facts)
    for name, value in facts:
        print_line(f"{name.ljust(width)}  {value}")


def table_of(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """Give a table to draw."""
    table = _table(title, columns)
    for row in rows:
        table.add_row(*row)
    return table


def _table(title: str, columns: Sequence[str], widths: Sequence[int] = ()) -> Table:
    from rich import box  # noqa: PLC0415 - not for `--help`
    from rich.table import Table  # noqa: PLC0415

    table = Table(
        title=title or None,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        show_edge=False,
    )
    for place, column in enumerate(columns):
        is_number = column.startswith(">")
        table.add_column(
            column.removeprefix(">"),
            justify="right" if is_number else "left",
            overflow="fold",
            no_wrap=is_number,
            width=widths[place] if widths else None,
        )
    return table
