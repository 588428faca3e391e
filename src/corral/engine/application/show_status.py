"""Say how everything is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from corral.engine.application.ports import Status
from corral.engine.domain.machine.power import seconds_to_restart
from corral.engine.domain.report import report

if TYPE_CHECKING:
    from collections.abc import Callable

    from corral.engine.application.fetch_versions import FetchVersions
    from corral.engine.application.keeper import Keeper
    from corral.engine.application.ports import Clock, Facts, Records
    from corral.engine.application.tend_kit import TendKit
    from corral.engine.application.tend_machines import TendMachines


@dataclass(frozen=True)
class ShowStatus:
    """Looks at everything now; nothing of it is remembered from before."""

    keeper: Keeper
    records: Records
    tend: TendMachines
    fetch: FetchVersions
    kit: TendKit
    facts: Callable[[], Facts]
    clock: Clock

    def __call__(self) -> Status:
        """Give the status of this moment."""
        keeper = self.keeper
        orders = keeper.orders
        transfers = self.fetch.transfers()
        machines = []
        for key, machine in keeper.machines.items():
            seen = self.tend.look(machine)
            order = None if orders is None else orders.order_of(key)
            said = report(order, machine, seen, transfers, keeper.abilities)
            if said.is_running:
                seconds = seconds_to_restart(machine, self.clock.now())
                said = replace(said, restart_in=seconds)
            machines.append((machine, seen, said))
        return Status(
            facts=self.facts(),
            place=keeper.place,
            orders=orders,
            machines=machines,
            events=self.records.events(),
            kit=self.kit.report(transfers),
            is_pausing=self.records.is_pausing(),
        )
