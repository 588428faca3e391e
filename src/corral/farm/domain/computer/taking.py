"""What orders would take from a computer: for a farm that may remember less than it once said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from corral.farm.domain.computer.check_in import CheckIn
    from corral.farm.domain.computer.orders import Orders
    from corral.farm.domain.image.root import RootHash
    from corral.farm.domain.image.version import VersionName


@dataclass(frozen=True)
class Taking:
    """One machine that would go, or go back."""

    runs: str
    ordered: str
    root: RootHash | None = None
    """What it runs, if all that is wrong is that the farm does not know it as the newer one."""

    def __str__(self) -> str:
        return f"{self.runs}, and would have {self.ordered}"


def takings(
    said: CheckIn, orders: Orders, names: Mapping[RootHash, Collection[VersionName]]
) -> tuple[Taking, ...]:
    """Give what a computer has and would not have any more, or only an older version of."""
    if orders.erases:
        return (Taking("what is on it", "nothing: it is to erase itself"),) if said.machines else ()
    return tuple(_takings(said, orders, names))


def _takings(
    said: CheckIn, orders: Orders, names: Mapping[RootHash, Collection[VersionName]]
) -> Iterator[Taking]:
    ordered = {(str(one.image), str(one.user)): one for one in orders.machines}
    for machine in said.machines:
        root = machine.runs
        if root is None:
            continue
        known = sorted(one for one in names.get(root, ()) if one.image == machine.image)
        runs = f"{known[-1] if known else f'{machine.image} {root.short}'} for {machine.user}"
        order = ordered.get((str(machine.image), str(machine.user)))
        if order is None:
            yield Taking(runs, "nothing for that user")
        elif order.root != root and (not known or known[-1].number > order.version.number):
            yield Taking(runs, str(order.version), root)
