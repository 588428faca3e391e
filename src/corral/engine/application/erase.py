"""Erase a computer that is lost or stolen, as its farm ordered."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from corral.engine.domain.errors import EngineError

if TYPE_CHECKING:
    from corral.engine.application.keeper import Keeper
    from corral.engine.application.ports import Disks, Farm, Processes, Records
    from corral.engine.application.show_status import ShowStatus


@dataclass(frozen=True)
class Erase:
    """Ends every machine and removes everything. Killed half way, it is begun again."""

    keeper: Keeper
    records: Records
    farm: Farm
    processes: Processes
    disks: Disks
    show_status: ShowStatus

    def is_due(self) -> bool:
        """Whether the orders in force say so, or it has begun."""
        orders = self.keeper.orders
        return (orders is not None and orders.erases) or self.records.is_erasing()

    def __call__(self) -> None:
        """Erase; the last thing that goes is the key, with which the farm is told."""
        self.records.begin_erasing()
        status, place = self.show_status(), self.keeper.place
        for key in self.keeper.machines:
            self.processes.end(key)
        self.disks.offer({})
        sequence = self.records.next_sequence()
        self.keeper.forget_everything()
        self.records.erase_data()
        if place is not None:
            # Whoever has stolen it may keep it from the farm; that must not keep anything here.
            with suppress(EngineError):
                self.farm.say_erased(place, status, sequence)
        self.records.erase_identity()
