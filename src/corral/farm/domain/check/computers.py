"""What the farm check says of computers, which are seldom all within reach."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from corral.farm.domain.check.finding import Finding, Kind
from corral.farm.domain.naming import some_of

if TYPE_CHECKING:
    from collections.abc import Iterator

SILENT: Final = timedelta(days=14)
"""Longer than most people are away from work."""


@dataclass(frozen=True)
class SeenTrouble:
    """Why computers do not get the version of an image that they should, and will not so."""

    image: str
    why: str
    text: str
    """What one of them says, or the fact; for people."""
    computers: tuple[str, ...]


@dataclass(frozen=True)
class SeenComputers:
    """Those that somebody should look at; each tuple in the order of names."""

    silent: tuple[str, ...] = ()
    """Registered, and not heard of for ``SILENT``."""
    waiting: tuple[str, ...] = ()
    """They ask to be registered, and nobody has said yes or no."""
    engines: tuple[str, ...] = ()
    """Their engine could not be upgraded, or went back."""
    troubles: tuple[SeenTrouble, ...] = ()


def of_computers(seen: SeenComputers) -> Iterator[Finding]:
    """Give one finding for each kind of trouble, however many computers have it."""
    for one in seen.troubles:
        said = f": {one.text}" if one.text else ""
        message = f"{one.why} on {some_of(one.computers)}{said}"
        thing = f"image {one.image}"
        yield Finding(Kind.MACHINES_TROUBLED, thing, message, computers=one.computers)
    for kind, names, what in (
        (Kind.ENGINES_TROUBLED, seen.engines, "the engine was not upgraded on"),
        (Kind.COMPUTERS_WAITING, seen.waiting, "not approved or refused yet:"),
        (Kind.COMPUTERS_SILENT, seen.silent, f"not heard of for {SILENT.days} days:"),
    ):
        if names:
            yield Finding(kind, "farm", f"{what} {some_of(names)}", computers=names)
