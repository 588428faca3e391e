"""Things that wait for each other: nobody should have to find that out from two separate lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from corral.farm.domain.upgrade.blueprint import StepKind
from corral.farm.domain.upgrade.look import InTheWay
from corral.farm.domain.upgrade.obstacle import Obstacle

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from corral.farm.domain.upgrade.look import Candidate

FARM: Final = "farm"
BEGINNING: Final = frozenset({StepKind.DRAIN, StepKind.REST})


def circles(candidates: Iterable[Candidate]) -> Iterator[InTheWay]:
    """Give each circle once: the farm waits for whatever waits for the farm."""
    waits: dict[str, set[str]] = {}
    for candidate in candidates:
        # That a server is still to be drained keeps nobody waiting: only one that is out does.
        begins = candidate.step is not None and candidate.step.kind in BEGINNING
        for one in candidate.in_the_way:
            if not one.waits_on:
                continue
            source = f"{one.thing} (to be begun)" if begins and _is_own(one) else one.thing
            for other in one.waits_on:
                waits.setdefault(source, set()).add(other)
                if other == FARM:
                    waits.setdefault(FARM, set()).add(source)
    told: set[frozenset[str]] = set()
    for start in sorted(waits):
        circle = _circle(start, waits)
        if circle and frozenset(circle) not in told:
            told.add(frozenset(circle))
            words = ", which waits for ".join((*circle[1:], circle[0]))
            yield InTheWay(
                Obstacle.WAIT_FOR_EACH_OTHER,
                " and ".join(sorted(circle)),
                f"{circle[0]} waits for {words}",
            )


def _is_own(one: InTheWay) -> bool:
    return one.thing.startswith(("server ", "relay "))


def _circle(start: str, waits: Mapping[str, set[str]]) -> tuple[str, ...]:
    """Give the shortest way from a thing back to itself; empty if there is none."""
    ways: list[tuple[str, ...]] = [(start,)]
    seen: set[str] = set()
    while ways:
        way = ways.pop(0)
        for other in sorted(waits.get(way[-1], ())):
            if other == start:
                return way if len(way) > 1 else ()
            if other not in seen:
                seen.add(other)
                ways.append((*way, other))
    return ()
