"""Sizes as people write them."""

from __future__ import annotations

import re
from typing import Final

import typer

_SIZE: Final = re.compile(r"([1-9][0-9]*) ?([KMGT](?:iB)?|B)?")
_UNITS: Final = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}


def size_bytes(text: str) -> int:
    """Read ``4GiB``, or ``4G`` for the same, as rates are written; a number alone is bytes."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        message = f"{text!r} is no size: write a number with B, KiB, MiB, GiB or TiB, such as 4GiB"
        raise typer.BadParameter(message)
    unit = found[2] or "B"
    return int(found[1]) * _UNITS[unit if unit.endswith("B") else f"{unit}iB"]
