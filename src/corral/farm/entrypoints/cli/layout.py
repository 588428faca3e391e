"""How a list fits a terminal: as a table whose words stay whole, else one thing after the other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

BETWEEN: Final = 3
"""What stands between two columns …"""
BETWEEN_TIGHT: Final = 2
"""… and where every character counts."""
_LONGEST_WORD: Final = 24
"""Longer ones may be broken: a path, a message without spaces."""


@dataclass(frozen=True)
class Layout:
    """What is printed."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    widths: tuple[int, ...] | None
    """Of each column; nothing for as it comes, none if no table of these columns fits."""
    is_tight: bool = False


def layout_of(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> Layout:
    """Give how the rows are printed on a terminal of that width; ``>`` begins a number's column.

    Where it is too narrow, columns with nothing in them go first, then lines are broken between
    words. What does not fit so is no table.
    """
    whole = Layout(tuple(columns), tuple(map(tuple, rows)), ())
    if _sum(_widths(whole)) <= width:
        return whole
    filled = [place for place, _ in enumerate(columns) if any(row[place] for row in rows)]
    kept = Layout(
        tuple(columns[place] for place in filled),
        tuple(tuple(row[place] for place in filled) for row in rows),
        None,
    )
    least = tuple(map(min, _least(kept), _widths(kept)))
    for between in (BETWEEN, BETWEEN_TIGHT):
        spare = width - _sum(least, between)
        if spare >= 0:
            widths = _grown(least, _widths(kept), spare)
            return replace(kept, widths=widths, is_tight=between == BETWEEN_TIGHT)
    return kept


def _grown(least: Sequence[int], wanted: Sequence[int], spare: int) -> tuple[int, ...]:
    """Give what is to spare to the column that lacks most, a character at a time."""
    widths = list(least)
    for _ in range(spare):
        lacks = [most - has for most, has in zip(wanted, widths, strict=True)]
        if max(lacks, default=0) <= 0:
            break
        widths[lacks.index(max(lacks))] += 1
    return tuple(widths)


def _widths(of: Layout) -> tuple[int, ...]:
    return tuple(max(map(len, cells)) for cells in _cells(of))


def _least(of: Layout) -> tuple[int, ...]:
    return tuple(
        max(map(len, cells))
        if name.startswith(">")
        else max(min(_LONGEST_WORD, len(word)) for cell in cells for word in cell.split() or [""])
        for name, cells in zip(of.columns, _cells(of), strict=True)
    )


def _cells(of: Layout) -> list[list[str]]:
    return [
        [name.removeprefix(">"), *(row[place] for row in of.rows)]
        for place, name in enumerate(of.columns)
    ]


def _sum(widths: Sequence[int], between: int = BETWEEN) -> int:
    return sum(widths) + between * max(0, len(widths) - 1)
