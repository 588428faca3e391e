"""What is fetched next, what is offered as a disk, and what may be thrown away."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING

from corral.engine.domain.machine.plan import wanted_version
from corral.engine.domain.machine.record import Mode
from corral.engine.domain.machine.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from corral.engine.domain.machine.record import Machine, MachineKey
    from corral.engine.domain.machine.seen import Abilities
    from corral.engine.domain.orders import Orders


class Urgency(IntEnum):
    """What comes first."""

    KIT = 0
    """The engine before the images that may need it."""
    RUNNING = 1
    """What a machine runs from and has not got whole: it stands still when the line is cut."""
    FIRST = 2
    """What a machine waits for that has nothing else."""
    NEXT = 3


class FetchState(StrEnum):
    """How it is with one version that is to be here."""

    HERE = "here"
    NOT_YET = "not-yet"
    """No source of this computer has it in full yet."""
    PAUSED = "paused"
    NO_SOURCE = "no-source"
    """The orders name nobody who gives chunks, or no ticket."""
    WAITING = "waiting"
    FETCHING = "fetching"


@dataclass(frozen=True)
class Need:
    """A version that should be here in full."""

    root: str
    size_bytes: int
    urgency: Urgency
    is_paused: bool = False


@dataclass(frozen=True)
class Fetch:
    """Fetch this, from these, showing this."""

    root: str
    urls: tuple[str, ...]
    ticket: str
    authority: str = ""
    """The farm's root certificate in PEM, by which alone https URLs are believed."""


def needs(
    machines: Mapping[MachineKey, Machine], orders: Orders | None, abilities: Abilities
) -> list[Need]:
    """Give the versions that should be here, each once, the most urgent first."""
    found: list[Need] = []
    if orders is not None and orders.kit is not None:
        found.append(Need(orders.kit.root, orders.kit.size_bytes, Urgency.KIT))
    for key, machine in machines.items():
        order = None if orders is None else orders.order_of(key)
        is_paused = order is not None and order.is_paused
        if machine.current is not None and machine.mode is not Mode.LOCAL:
            size = machine.current.size_bytes
            found.append(Need(machine.current.root, size, Urgency.RUNNING, is_paused))
        to_come = machine.candidate or wanted_version(order, machine, abilities)
        if to_come is not None:
            urgency = Urgency.FIRST if machine.current is None else Urgency.NEXT
            found.append(Need(to_come.root, to_come.size_bytes, urgency, is_paused))
    if orders is not None:
        # Told of, and nobody has had the time yet to make their machines.
        for key in orders.machines.keys() - machines.keys():
            version = orders.machines[key][1].version
            found.append(Need(version.root, version.size_bytes, Urgency.NEXT))
    chosen: dict[str, Need] = {}
    for need in sorted(found, key=lambda one: (one.urgency, one.is_paused)):
        chosen.setdefault(need.root, need)
    return sorted(chosen.values(), key=lambda one: one.urgency)


@dataclass(frozen=True)
class AtHand:
    """What need not come over a line."""

    held: frozenset[str] = frozenset()
    """Versions that are in the store in full."""
    carried: frozenset[str] = frozenset()
    """Those that are on a medium which somebody put in."""


def state_of(need: Need, orders: Orders | None, at_hand: AtHand, *, is_pausing: bool) -> FetchState:
    """Say how it is with one need; ``is_pausing`` is the user's word for everything."""
    if need.root in at_hand.held:
        return FetchState.HERE
    if need.is_paused or is_pausing:
        return FetchState.PAUSED
    if need.root in at_hand.carried:
        return FetchState.WAITING
    if orders is not None and need.root in orders.not_yet:
        return FetchState.NOT_YET
    if orders is None or not orders.sources or need.root not in orders.tickets:
        return FetchState.NO_SOURCE
    return FetchState.WAITING


def next_fetch(
    wanted: Sequence[Need], orders: Orders | None, at_hand: AtHand, *, is_pausing: bool
) -> Fetch | None:
    """Give what is to be fetched now; one at a time, for the line is the bottleneck."""
    for need in wanted:
        if state_of(need, orders, at_hand, is_pausing=is_pausing) is FetchState.WAITING:
            # Of what is carried, whatever turns out damaged comes from those who may be asked.
            return peers_of(need.root, orders) or Fetch(need.root, (), "")
    return None


def peers_of(root: str, orders: Orders | None) -> Fetch | None:
    """Give who may be asked for chunks of a version: those who have all of it, if there are any."""
    if orders is None or not orders.sources or root not in orders.tickets:
        return None
    whole = tuple(source.url for source in orders.sources if root in source.has)
    urls = whole or tuple(source.url for source in orders.sources)
    return Fetch(root, urls, orders.tickets[root], orders.certificate_authority)


def offered_roots(machines: Iterable[Machine], held: frozenset[str]) -> frozenset[str]:
    """Give the versions that the disk process should offer.

    What is in place or was, whatever has come; and what is still on its way only where nothing
    else is in place, for that may be started early.
    """
    offered: set[str] = set()
    for machine in machines:
        if machine.mode is Mode.LOCAL:
            continue
        offered |= machine.needed_roots() - (
            {machine.candidate.root} if machine.candidate is not None else set()
        )
        candidate = machine.candidate
        if candidate is None:
            continue
        is_first = machine.current is None and machine.stage is Stage.FETCHING
        if candidate.root in held or is_first:
            offered.add(candidate.root)
    return frozenset(offered)


def unneeded_roots(
    here: Iterable[str], machines: Iterable[Machine], wanted: Iterable[Need]
) -> frozenset[str]:
    """Give the versions that may go: neither in place, nor prepared, nor proven, nor to come."""
    kept = {need.root for need in wanted}
    for machine in machines:
        kept |= machine.needed_roots()
    return frozenset(here) - kept
