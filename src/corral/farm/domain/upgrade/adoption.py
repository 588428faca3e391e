"""May a planned step become the farm's newest blueprint? Asked in the transaction that writes it.

Two workers who plan at once plan the same step or different ones; whoever writes first wins, and
the other one looks again. What was decided on an old look is decided once more on a new one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

from corral.farm.domain.upgrade.blueprint import Blueprint
from corral.farm.domain.upgrade.state import STEPPING

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.domain.upgrade.blueprint import Step, UpgradeNumber
    from corral.farm.domain.upgrade.inventory import Inventory
    from corral.farm.domain.upgrade.plan import Plan
    from corral.farm.domain.upgrade.policy import Policy


class WhyNot(Enum):
    """Why a blueprint is not adopted: the whole list."""

    OVERTAKEN = "overtaken", "somebody adopted another blueprint since it was planned"
    NOT_NEWER = "not-newer", "a server has obeyed an order with this number or a higher one"
    RESTORED = "restored", "the farm was restored from a backup since it was planned"
    STANDS_STILL = "stands-still", "the upgrade was paused, or has ended, since it was planned"
    CHANGED = "changed", "planned anew with what is seen now, the next step is another one"

    def __init__(self, code: str, meaning: str) -> None:
        self.code = code
        self.meaning = meaning


@dataclass(frozen=True)
class Adopted:
    """Nothing speaks against it."""


@dataclass(frozen=True)
class NotAdopted:
    """Look and plan again."""

    why: WhyNot

    def __str__(self) -> str:
        return f"{self.why.code}: {self.why.meaning}"


Adoption: TypeAlias = Adopted | NotAdopted

NO_GUARD_OFF: frozenset[WhyNot] = frozenset()


def may_adopt(  # noqa: PLR0913 - the whole of what it depends on
    blueprint: Blueprint,
    newest: Blueprint | None,
    policy: Policy,
    inventory: Inventory,
    again: Plan,
    *,
    without: frozenset[WhyNot] = NO_GUARD_OFF,
) -> Adoption:
    """Say whether a blueprint may be written down.

    ``newest``, ``policy`` and ``inventory`` are as they are in this transaction, and ``again`` is
    the plan that follows from them. ``without``: guards that are switched off, which tests do and
    nobody else.
    """
    for why, is_broken in (
        (WhyNot.RESTORED, blueprint.epoch != inventory.epoch),
        (WhyNot.OVERTAKEN, blueprint.parent != (0 if newest is None else newest.generation)),
        (WhyNot.NOT_NEWER, blueprint.generation < next_generation(newest, inventory)),
        (WhyNot.STANDS_STILL, policy.state not in STEPPING),
        (WhyNot.CHANGED, again.step != blueprint.step),
    ):
        if is_broken and why not in without:
            return NotAdopted(why)
    return Adopted()


def next_generation(newest: Blueprint | None, inventory: Inventory) -> int:
    """Give the lowest number that no server can have obeyed.

    After a restore servers have obeyed orders that the farm knows nothing of any more.
    """
    known = 0 if newest is None else newest.generation
    return 1 + max([known, *(max(one.order, one.problem_of) for one in inventory.servers)])


def blueprint_of(  # noqa: PLR0913 - it is written down as a whole
    step: Step,
    evidence: str,
    newest: Blueprint | None,
    inventory: Inventory,
    *,
    upgrade: UpgradeNumber,
    farm_generation: int,
    now: datetime,
    by: str,
) -> Blueprint:
    """Write a planned step down as it would be adopted, after the newest that was seen with it."""
    return Blueprint(
        upgrade=upgrade,
        parent=0 if newest is None else newest.generation,
        generation=next_generation(newest, inventory),
        epoch=inventory.epoch,
        step=step,
        adopted_at=now,
        farm_generation=farm_generation,
        by=by,
        evidence=evidence,
    )
