"""May a release work on a database whose schema is of another one? One table says it.

A schema grows by steps with rising revisions. An expand step adds, and whoever worked on the schema
before goes on; a contract step takes away, and says the oldest release that still works on what is
left. So two releases share a database from the expand steps of the newer one until it is finalised.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from itertools import dropwhile, takewhile
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_REVISION: Final = re.compile(r"\d{4}")


class Half(StrEnum):
    """Which half of a change a step is."""

    EXPAND = "expand"
    CONTRACT = "contract"


@dataclass(frozen=True)
class SchemaStep:
    """One migration."""

    revision: str
    half: Half
    what: str


@dataclass(frozen=True)
class ReleaseSchema:
    """The schema as a release knows it: every step up to its own last one, oldest first."""

    steps: tuple[SchemaStep, ...]

    @property
    def revisions(self) -> tuple[str, ...]:
        """Give every revision."""
        return tuple(step.revision for step in self.steps)

    @property
    def head(self) -> str:
        """The last revision; what a database compares with the oldest that it can be read from."""
        return self.steps[-1].revision

    @property
    def needs(self) -> str:
        """The last expand step: the release works from there on."""
        return next(one.revision for one in reversed(self.steps) if one.half is Half.EXPAND)

    def pending(self, revision: str | None) -> tuple[SchemaStep, ...]:
        """Give the steps that a database at a revision has not taken."""
        return tuple(step for step in self.steps if revision is None or step.revision > revision)

    def to_expand(self, revision: str) -> tuple[SchemaStep, ...]:
        """Give the steps that can be taken without taking anything away."""
        return tuple(takewhile(_expands, self.pending(revision)))

    def to_contract(self, revision: str) -> tuple[SchemaStep, ...]:
        """Give the steps up to the next one that takes something away, with those that follow it.

        None if nothing is to be taken away.
        """
        rest = self.pending(revision)
        first = tuple(takewhile(_expands, rest))
        contracts = tuple(takewhile(_contracts, dropwhile(_expands, rest)))
        return (*first, *contracts) if contracts else ()


def _expands(step: SchemaStep) -> bool:
    return step.half is Half.EXPAND


def _contracts(step: SchemaStep) -> bool:
    return step.half is Half.CONTRACT


@dataclass(frozen=True)
class SeenSchema:
    """What a database says of its schema."""

    revision: str | None = None
    """None of a database without a farm's tables."""
    readable_from: str | None = None
    """The oldest head revision that code may have to work on it; none from before there was such
    a word, when no release worked on a newer schema."""
    oldest_console: str | None = None
    """The oldest release whose command line may be used; none for any that can read it."""
    damage: str | None = None
    """Why nothing can be told of it."""


class Standing(StrEnum):
    """Where a database's schema is, seen from a release."""

    EMPTY = "empty"
    DAMAGED = "damaged"
    """It is of no farm, or of one that this release knows to be impossible."""
    BEHIND = "behind"
    """Expand steps lead to what the release needs."""
    UNFINISHED = "unfinished"
    """The way there leads over a contract step of an earlier release that was never finalised."""
    SERVES = "serves"
    """All that the release needs is there; what only older ones need may be there, too."""
    NEWER = "newer"
    """A newer release has added to it, and this one still works on it."""
    TOO_NEW = "too-new"


class Opening(StrEnum):
    """What becomes of it when the release opens the database."""

    READY = "ready"
    CREATE = "create"
    EXPAND = "expand"
    REFUSE_BEHIND = "refuse-behind"
    REFUSE_UNFINISHED = "refuse-unfinished"
    REFUSE_NEWER = "refuse-newer"
    REFUSE_DAMAGED = "refuse-damaged"


_S, _O = Standing, Opening

GATE: Final[Mapping[tuple[Standing, bool], Opening]] = MappingProxyType(
    {
        (_S.EMPTY, True): _O.CREATE,
        (_S.EMPTY, False): _O.CREATE,
        (_S.DAMAGED, True): _O.REFUSE_DAMAGED,
        (_S.DAMAGED, False): _O.REFUSE_DAMAGED,
        # One machine, whose package was replaced: nobody else works on its database.
        (_S.BEHIND, True): _O.EXPAND,
        (_S.BEHIND, False): _O.REFUSE_BEHIND,
        (_S.UNFINISHED, True): _O.REFUSE_UNFINISHED,
        (_S.UNFINISHED, False): _O.REFUSE_UNFINISHED,
        (_S.SERVES, True): _O.READY,
        (_S.SERVES, False): _O.READY,
        (_S.NEWER, True): _O.READY,
        (_S.NEWER, False): _O.READY,
        (_S.TOO_NEW, True): _O.REFUSE_NEWER,
        (_S.TOO_NEW, False): _O.REFUSE_NEWER,
    }
)
"""By whether the database is embedded. No row leads to a contract step: that is asked for."""


def standing(seen: SeenSchema, own: ReleaseSchema) -> Standing:
    """Say where a database's schema is."""
    if seen.damage is not None:
        return Standing.DAMAGED
    if seen.revision is None:
        return Standing.EMPTY
    # Revisions compare as text only because all are written alike.
    if not all(_REVISION.fullmatch(one) for one in (seen.revision, seen.readable_from or own.head)):
        return Standing.DAMAGED
    if seen.readable_from is not None and own.head < seen.readable_from:
        return Standing.TOO_NEW
    if seen.revision > own.head:
        return Standing.TOO_NEW if seen.readable_from is None else Standing.NEWER
    if seen.revision not in own.revisions:
        return Standing.DAMAGED
    if seen.revision >= own.needs:
        return Standing.SERVES
    on_the_way = (one for one in own.pending(seen.revision) if one.revision <= own.needs)
    return Standing.BEHIND if all(map(_expands, on_the_way)) else Standing.UNFINISHED


def opening(seen: SeenSchema, own: ReleaseSchema, *, is_embedded: bool) -> Opening:
    """Say what becomes of it when a release opens the database."""
    return GATE[standing(seen, own), is_embedded]
