"""What goes wrong without each guard: random farms are run without it until an invariant breaks.

A guard that nothing breaks without is either good for people only, or stands behind another one
that catches the same: then both are switched off.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final, Self

from corral.farm.domain.upgrade.adoption import WhyNot
from corral.farm.domain.upgrade.obstacle import Obstacle
from tests.simulation.upgrade.histories import run
from tests.simulation.upgrade.machines import NODE_GUARDS
from tests.simulation.upgrade.world import GuardsOff

NO_GUARDS: Final = frozenset(
    {
        # What has failed, or failed to end, is told; nothing is kept from happening by it alone.
        Obstacle.WAIT_FOR_EACH_OTHER,
        Obstacle.STEP_OVERDUE,
        # Looked at once, by the check before an upgrade; a canary would tell it of later.
        Obstacle.PORT_UNREACHABLE,
        # What people do by hand is seen nowhere; tests of the planner show what it holds up.
        Obstacle.PRE_ACTION_OPEN,
        # Without a database nothing can be adopted.
        Obstacle.DATABASE_UNREACHABLE,
    }
)
"""What is only told."""


@dataclass(frozen=True)
class Guard:
    """One guard, or several."""

    name: str
    off: GuardsOff

    @property
    def of(self) -> object:
        """The guard itself, as the code asks for it."""
        guards: list[object] = [*self.off.plan, *self.off.adoption, *self.off.node]
        (only,) = guards
        return only

    def __or__(self, other: "Guard") -> "Guard":
        return Guard(
            f"{self.name} + {other.name}",
            GuardsOff(
                self.off.plan | other.off.plan,
                self.off.adoption | other.off.adoption,
                self.off.node | other.off.node,
            ),
        )


@dataclass(frozen=True)
class Death:
    """An invariant that broke."""

    seed: int
    invariant: str
    """``S2``, ``P3``."""
    words: str


def all_guards() -> tuple[Guard, ...]:
    """Give every guard that there is: of the planner, of the adoption, and at the servers."""
    return (
        *(
            Guard(one.code, GuardsOff(plan=frozenset({one})))
            for one in Obstacle
            if one not in NO_GUARDS
        ),
        *(Guard(f"adoption: {one.code}", GuardsOff(adoption=frozenset({one}))) for one in WhyNot),
        *(Guard(f"server: {one}", GuardsOff(node=frozenset({one}))) for one in NODE_GUARDS),
    )


class Asked(frozenset[Any]):
    """Guards that are switched off, which notes every guard that would have stood in the way."""

    def __new__(cls, off: Iterable[object], noted: set[object]) -> Self:  # noqa: ARG004
        return super().__new__(cls, off)

    def __init__(self, off: Iterable[object], noted: set[object]) -> None:  # noqa: ARG002
        super().__init__()
        self.noted = noted

    def __bool__(self) -> bool:
        """Whoever asks only whether any is switched off would not be noted."""
        return True

    def __contains__(self, guard: object) -> bool:
        self.noted.add(guard)
        return super().__contains__(guard)


@dataclass(frozen=True)
class Play:
    """A history without some guard."""

    broken: dict[str, str]
    """The invariants that broke, if any did, with what broke each."""
    asked: frozenset[object]
    """The guards that somebody asked for: switching another one off changes nothing in it."""


def played(seed: int, guard: Guard) -> Play:
    noted: set[object] = set()
    off = guard.off
    world = run(
        seed,
        GuardsOff(Asked(off.plan, noted), Asked(off.adoption, noted), Asked(off.node, noted)),
    )
    said = [one.partition(": ")[2] for one in reversed(world.broken)]
    return Play({_invariant(words): words for words in said}, frozenset(noted))


def _invariant(words: str) -> str:
    return words.partition(" ")[0]


@dataclass(frozen=True)
class Together:
    """What the pairs of guards came to."""

    pairs: int
    played: int
    """Histories that had to be played: in the others a guard of the two was never asked for."""
    deaths: tuple[tuple[Guard, Death], ...]
    """Of the pairs without which an invariant breaks that breaks without neither of the two."""


def in_pairs(seeds: range) -> Together:
    """Switch every two guards off together, in the same histories as each of them alone."""
    guards = all_guards()
    alone = {one: [played(seed, one) for seed in seeds] for one in guards}
    broken = {one: frozenset[str]().union(*(play.broken for play in alone[one])) for one in guards}
    deaths: list[tuple[Guard, Death]] = []
    count = 0
    for one, other in combinations(guards, 2):
        known = broken[one] | broken[other]
        for seed, mine, theirs in zip(seeds, alone[one], alone[other], strict=True):
            # Where a guard is never asked for, it may as well be there: nothing comes of the two
            # that does not come of the other one alone.
            if not (other.of in mine.asked and one.of in theirs.asked):
                continue
            count += 1
            play = played(seed, one | other)
            new = sorted(play.broken.keys() - known)
            known |= play.broken.keys()
            deaths += [(one | other, Death(seed, name, play.broken[name])) for name in new]
    return Together(len(guards) * (len(guards) - 1) // 2, count, tuple(deaths))


def death_without(guard: Guard, seeds: Iterable[int]) -> Death | None:
    """Give the first invariant that breaks in these histories without a guard."""
    for seed in seeds:
        world = run(seed, guard.off)
        if world.broken:
            words = world.broken[0].partition(": ")[2]
            return Death(seed, _invariant(words), words)
    return None
