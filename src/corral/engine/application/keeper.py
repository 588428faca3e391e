"""The one place where records of machines change, and the orders in force."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from corral.engine.domain.failures import MachineAmbiguousError, MachineUnknownError
from corral.engine.domain.journal import notices
from corral.engine.domain.machine.seen import Abilities

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from corral.engine.application.ports import Clock, FarmPlace, GivenOrders, OrdersFile, Records
    from corral.engine.domain.journal import Notice
    from corral.engine.domain.machine.record import Machine, MachineKey
    from corral.engine.domain.orders import Orders


@dataclass
class Keeper:
    """What several threads share. Everything that it gives is a value; it changes under its lock.

    A record is written to the disk before anybody can see it.
    """

    records: Records
    orders_file: OrdersFile
    clock: Clock
    abilities: Abilities = field(default_factory=Abilities)
    on_change: Callable[[], None] = lambda: None
    """Called after something changed that there may be something to do about."""
    on_news: Callable[[], None] = lambda: None
    """Called after something happened that the farm should hear of soon."""
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _machines: dict[MachineKey, Machine] = field(default_factory=dict)
    _place: FarmPlace | None = None
    _orders: Orders | None = None

    def load(self) -> None:
        """Read what was kept; raises ``StateUnusableError``."""
        self._machines = dict(self.records.machines())
        self._place = self.records.place()
        if self._place is not None:
            given = self.orders_file.read(self._place)
            self._orders = given.orders if given is not None and given.is_signed else None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Have nobody else change anything meanwhile."""
        with self._lock:
            yield

    @property
    def machines(self) -> Mapping[MachineKey, Machine]:
        """All machines, by their names."""
        with self._lock:
            return dict(sorted(self._machines.items()))

    @property
    def orders(self) -> Orders | None:
        """The orders in force."""
        with self._lock:
            return self._orders

    @property
    def place(self) -> FarmPlace | None:
        """The farm that the computer belongs to."""
        with self._lock:
            return self._place

    def settle_in(self, place: FarmPlace) -> None:
        """Belong to a farm from now on."""
        with self._lock:
            self.records.keep_place(place)
            self._place = place
        self.on_change()

    def follow(self, given: GivenOrders) -> None:
        """Put orders in force that were found to be acceptable."""
        with self._lock:
            self.orders_file.keep(given)
            self._orders = given.orders
        self.on_change()

    def keep(self, machine: Machine) -> None:
        """Put a changed record in the place of the one before, and write down what that says."""
        with self._lock:
            before = self._machines.get(machine.key)
            if before == machine:
                return
            self.records.keep_machine(machine)
            self._machines[machine.key] = machine
            told = list(notices(before, machine))
            for notice in told:
                self.note(notice)
            is_news = before is None or (before.stage, before.start) != (
                machine.stage,
                machine.start,
            )
        if told or is_news:
            self.on_news()

    def change(self, key: MachineKey, change: Callable[[Machine], Machine]) -> None:
        """Change the record as it is now; nothing happens if the machine is gone."""
        with self._lock:
            machine = self._machines.get(key)
            if machine is not None:
                self.keep(change(machine))
        self.on_change()

    def forget(self, key: MachineKey) -> None:
        """Forget a machine; its files go first, so that one that is half gone is still known."""
        with self._lock:
            self.records.forget_machine(key)
            self._machines.pop(key, None)
        self.on_news()

    def forget_everything(self) -> None:
        """Have no machines and no orders any more."""
        with self._lock:
            self._machines.clear()
            self._orders = None

    def note(self, notice: Notice) -> None:
        """Write an event down for the farm and the status page."""
        self.records.note(notice, int(self.clock.wall()))

    def find(self, name: str) -> Machine:
        """Give the machine of a name: its image, or ``IMAGE@USER`` where several users have one."""
        found = [machine for key, machine in self.machines.items() if name in {key.image, str(key)}]
        if not found:
            raise MachineUnknownError(name)
        if len(found) > 1:
            raise MachineAmbiguousError(name, tuple(str(one.key) for one in found))
        return found[0]
