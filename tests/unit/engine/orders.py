"""Orders for tests."""

from uuid import UUID

from corral.engine.domain.machine.record import MachineKey, Mode
from corral.engine.domain.machine.seen import MachineOrder
from corral.engine.domain.orders import Orders, Source

FARM = UUID(int=1)
COMPUTER = UUID(int=2)


def orders_with(key: MachineKey, mode: Mode, order: MachineOrder) -> Orders:
    root = order.version.root
    return Orders(
        farm=FARM,
        computer=COMPUTER,
        epoch=0,
        generation=1,
        machines={key: (mode, order)},
        sources=(Source("s1", "http://s1"),),
        tickets={root: "ticket"},
    )
