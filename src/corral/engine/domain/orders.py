"""The farm's orders, and which of them are believed."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from corral.engine.domain.errors import DeniedError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from corral.engine.domain.machine.record import MachineKey, Mode
    from corral.engine.domain.machine.seen import MachineOrder


class Standing(StrEnum):
    """How the computer stands with its farm."""

    WAITING = "waiting"
    REGISTERED = "registered"
    KILL_PENDING = "kill-pending"
    KILLED = "killed"
    RECYCLED = "recycled"


@dataclass(frozen=True)
class Source:
    """Who gives chunks."""

    server: str
    url: str
    has: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Window:
    """What fetching may take of the line between two times of day, in minutes since midnight."""

    begins: int
    ends: int
    rate: int

    def contains(self, minute: int) -> bool:
        """Whether a time of day lies in it; one that ends before it begins goes past midnight."""
        if self.begins <= self.ends:
            return self.begins <= minute < self.ends
        return minute >= self.begins or minute < self.ends


@dataclass(frozen=True)
class KitOrder:
    """A release of the engine that the computer should run."""

    kit: str
    release: str
    root: str
    size_bytes: int
    attempt: int = 0


@dataclass(frozen=True)
class Orders:
    """What should be on this computer."""

    farm: UUID
    computer: UUID
    epoch: int
    generation: int
    standing: Standing = Standing.REGISTERED
    erases: bool = False
    api_urls: tuple[str, ...] = ()
    certificate_authority: str = ""
    machines: Mapping[MachineKey, tuple[Mode, MachineOrder]] = field(default_factory=dict)
    kit: KitOrder | None = None
    sources: tuple[Source, ...] = ()
    tickets: Mapping[str, str] = field(default_factory=dict, repr=False)
    not_yet: frozenset[str] = frozenset()
    rate: int | None = None
    windows: tuple[Window, ...] = ()
    check_in_seconds: int = 300

    @property
    def place(self) -> tuple[int, int]:
        """Where they stand among all orders of the farm: later ones are higher."""
        return self.epoch, self.generation

    def order_of(self, key: MachineKey) -> MachineOrder | None:
        """Give what they say of a machine; None if they do not name it."""
        found = self.machines.get(key)
        return None if found is None else found[1]


class OrdersUnsignedError(DeniedError):
    """Orders are believed only if the farm's key has signed them."""

    code = "orders-unsigned"

    def __init__(self) -> None:
        super().__init__(
            "the orders are not signed by this computer's farm and are not followed;"
            " if the farm was made anew, register the computer again"
        )


class OrdersMisdirectedError(DeniedError):
    """Orders for another computer, or of another farm, are not followed."""

    code = "orders-misdirected"

    def __init__(self) -> None:
        super().__init__(
            "the orders are for another computer or of another farm, and are not followed:"
            " look at what stands between this computer and its farm"
        )


class OrdersOlderError(RefusedError):
    """Orders never go back: an epoch and generation below those in force are refused."""

    code = "orders-older"

    def __init__(self, given: tuple[int, int], in_force: tuple[int, int]) -> None:
        super().__init__(
            f"orders of epoch {given[0]}, generation {given[1]} are older than those in force"
            f" ({in_force[0]}, {in_force[1]}) and are not followed; a relay that was away gives"
            " newer ones soon, a farm that was restored has to raise its epoch"
        )


class OrdersContradictError(DeniedError):
    """Two different orders of one generation: one of them is forged or the farm is at fault."""

    code = "orders-contradict"

    def __init__(self, place: tuple[int, int]) -> None:
        super().__init__(
            f"two different orders call themselves epoch {place[0]}, generation {place[1]};"
            " the first ones stay in force"
        )


def check_orders(
    given: Orders, in_force: Orders | None, *, farm: UUID, computer: UUID, is_signed: bool
) -> bool:
    """Whether ``given`` are new ones to follow; raises what is wrong with them.

    Tickets end and are renewed without a new generation, so orders in force may come again with
    others; nothing else in them may differ.
    """
    if not is_signed:
        raise OrdersUnsignedError
    if (given.farm, given.computer) != (farm, computer):
        raise OrdersMisdirectedError
    if in_force is None or given.place > in_force.place:
        return True
    if given.place < in_force.place:
        raise OrdersOlderError(given.place, in_force.place)
    if _without_tickets(given) != _without_tickets(in_force):
        raise OrdersContradictError(given.place)
    return given.tickets != in_force.tickets


def _without_tickets(orders: Orders) -> tuple[object, ...]:
    return (
        orders.standing,
        orders.erases,
        dict(orders.machines),
        orders.kit,
        orders.check_in_seconds,
    )


def allowed_rate(orders: Orders, minute: int) -> int | None:
    """Give the bytes a second that fetching may take at a time of day; None for no limit."""
    for window in orders.windows:
        if window.contains(minute):
            return window.rate
    return orders.rate
