"""Waves: which machines are offered something at once, by name or by chance.

Chance is a hash of the machine *and* of what is rolled out, so that each release meets other
machines first; who is in which wave is settled when a rollout begins and does not change while
machines come and go.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from corral.farm.domain.naming import checked_name
from corral.farm.domain.rollout.errors import WavesInvalidError
from corral.farm.domain.rollout.gate import Gate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from corral.farm.domain.rollout.evidence import Digest
    from corral.farm.domain.rollout.member import MemberId

ALL: Final = 100
_MOST_WAVES: Final = 32


@dataclass(frozen=True)
class Wave:
    """Machines that are offered something together."""

    name: str
    upto_percent: int | None = None
    """Chance brings in so many that this wave and those before it are so many per cent of all."""
    ring: frozenset[str] = frozenset()
    """Names of computers, users or user groups whose machines are in it (S10)."""
    gate: Gate = field(default_factory=Gate)

    def __post_init__(self) -> None:
        checked_name("wave", self.name)
        given = self.upto_percent
        if given is not None and (type(given) is not int or not 1 <= given <= ALL):
            rule = f"wave {self.name} goes up to 1 to 100 per cent, and not to {given!r}"
            raise WavesInvalidError(rule)
        if (given is None) == (not self.ring):
            rule = f"wave {self.name} is a share or names of its own, and not both or neither"
            raise WavesInvalidError(rule)


STANDARD: Final = (
    Wave("first", 1),
    Wave("few", 10),
    Wave("half", 50),
    Wave("all", ALL),
)
"""For many machines."""


def checked_waves(waves: Sequence[Wave]) -> tuple[Wave, ...]:
    """Refuse waves that do not follow each other; raises ``WavesInvalidError``."""
    if not 1 <= len(waves) <= _MOST_WAVES:
        rule = f"there are 1 to {_MOST_WAVES} of them"
        raise WavesInvalidError(rule)
    if len({wave.name for wave in waves}) < len(waves):
        rule = "each has a name of its own"
        raise WavesInvalidError(rule)
    shares = [wave.upto_percent for wave in waves if wave.upto_percent is not None]
    if any(after <= before for before, after in pairwise(shares)):
        rule = "each share is larger than the one before"
        raise WavesInvalidError(rule)
    rings = [name for wave in waves for name in wave.ring]
    if len(set(rings)) < len(rings):
        rule = "a name stands in one of them only"
        raise WavesInvalidError(rule)
    return tuple(waves)


def place_of(member: MemberId, digest: Digest) -> bytes:
    """Give where chance puts a machine among the others, for what is rolled out."""
    return sha256(f"{digest}\0{member}".encode()).digest()


def choose_waves(
    waves: Sequence[Wave], machines: Mapping[MemberId, frozenset[str]], digest: Digest
) -> dict[MemberId, int]:
    """Give the wave of each machine, of those that are in one.

    ``machines`` have the names by which a ring may mean them. A wave that has nobody, or fewer than
    its gate wants to see, is refused: a brake that cannot work is not one.
    """
    checked_waves(waves)
    chosen: dict[MemberId, int] = {}
    for number, wave in enumerate(waves):
        chosen.update(
            {
                machine: number
                for machine, names in machines.items()
                if machine not in chosen and not wave.ring.isdisjoint(names)
            }
        )
    by_chance = sorted(set(machines) - set(chosen), key=lambda one: (place_of(one, digest), one))
    _refuse_unknown(waves, machines)
    earlier = 0
    for number, wave in enumerate(waves):
        if wave.upto_percent is not None:
            wanted = -(-wave.upto_percent * len(machines) // ALL) - earlier
            taken = by_chance[: max(0, wanted)]
            del by_chance[: len(taken)]
            chosen.update(dict.fromkeys(taken, number))
        own = sum(1 for one in chosen.values() if one == number)
        _refuse_small(wave, own)
        earlier += own
    return chosen


def _refuse_unknown(waves: Sequence[Wave], machines: Mapping[MemberId, frozenset[str]]) -> None:
    known: set[str] = set().union(*machines.values()) if machines else set()
    for wave in waves:
        missing = sorted(wave.ring - known)
        if missing:
            rule = f"wave {wave.name} names {missing[0]!r}, which has no machine to be offered it"
            raise WavesInvalidError(rule)


def _refuse_small(wave: Wave, own: int) -> None:
    if own < wave.gate.min_sample:
        rule = (
            f"wave {wave.name} has {own} machines, and its gate wants a sample of"
            f" {wave.gate.min_sample}; take waves with larger shares, or fewer of them"
        )
        raise WavesInvalidError(rule)


def newcomers_wave(waves: Sequence[Wave]) -> int | None:
    """Give the wave of machines that come while a rollout is under way: the last, if it has all."""
    return len(waves) - 1 if waves[-1].upto_percent == ALL else None


def standard_waves(machines: int) -> tuple[Wave, ...]:
    """Give the waves that a rollout has if nobody says otherwise: none that would have nobody."""
    found: list[Wave] = []
    earlier = 0
    for wave in STANDARD:
        upto = -(-(wave.upto_percent or ALL) * machines // ALL)
        if upto > earlier:
            found.append(wave)
            earlier = upto
    return tuple(found)
