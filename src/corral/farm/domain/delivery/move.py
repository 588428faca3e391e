"""A move: that a device was asked, or is to be asked, to read from another server.

The device goes by itself, when the other server can serve it; until then nothing changes for it. So
a move has no step at which anything could be lost, and one that comes to nothing is only given up.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from corral.farm.domain.delivery.device import DeviceId
    from corral.farm.domain.delivery.place import Place
    from corral.farm.domain.delivery.placement import Placement
    from corral.farm.domain.delivery.ranking import Host
    from corral.farm.domain.delivery.rebalance import Move
    from corral.farm.domain.estate.server import ServerId

AT_ONCE: Final = 5
"""Devices that are on their way to one server at a time: each brings a login and a connection, and
reads what the server may have to fetch from its disk first."""

GIVEN_UP_AFTER: Final = timedelta(minutes=2)
"""A device that is asked learns of it within about two seconds, and moves within seconds. One that
has not gone by then cannot: it has no login of its own, or cannot reach the other server."""


class Outcome(StrEnum):
    """How a move ended."""

    DONE = "done"
    """The device reads from the target."""
    ELSEWHERE = "elsewhere"
    """It reads from a third server."""
    LEFT = "left"
    """It reads from nowhere any more."""
    GIVEN_UP = "given-up"
    """It did not go, or its target stopped taking devices."""


@dataclass(frozen=True)
class OrderedMove:
    """A move of a plan that is being carried out, or was."""

    device_id: DeviceId
    origin: ServerId
    target: ServerId
    why: str
    ordered_at: datetime
    asked_at: datetime | None = None
    """Since when the device is asked; none while it waits for its turn."""
    ended_at: datetime | None = None
    outcome: Outcome | None = None

    @classmethod
    def of(cls, move: Move, now: datetime) -> OrderedMove:
        """Order a move of a plan."""
        return cls(move.device_id, move.origin, move.target, move.why, now)

    @property
    def is_open(self) -> bool:
        """Whether it has still to be done."""
        return self.outcome is None

    @property
    def is_asked(self) -> bool:
        """Whether the device is being asked at this time."""
        return self.is_open and self.asked_at is not None

    def ended(self, outcome: Outcome, now: datetime) -> OrderedMove:
        """Give it as it is after its end."""
        return replace(self, outcome=outcome, ended_at=now)


def advance(
    moves: Iterable[OrderedMove],
    places: Mapping[DeviceId, Place],
    hosts: Sequence[Host],
    now: datetime,
) -> tuple[OrderedMove, ...]:
    """Give those of the open moves that change: that end, and that have their turn now.

    A target admits as many at once as it can take in: ``AT_ONCE`` at most, none beyond its limit of
    devices, and none at all while as many start there as may.
    """
    changed: list[OrderedMove] = []
    waiting: list[OrderedMove] = []
    under_way: Counter[ServerId] = Counter()
    by_id = {host.id: host for host in hosts}
    for move in moves:
        outcome = _outcome(move, places.get(move.device_id), by_id.get(move.target), now)
        if outcome is not None:
            changed.append(move.ended(outcome, now))
        elif move.is_asked:
            under_way[move.target] += 1
        else:
            waiting.append(move)
    for move in sorted(waiting, key=lambda one: (one.ordered_at, one.device_id)):
        if under_way[move.target] < _admits(by_id[move.target]):
            under_way[move.target] += 1
            changed.append(replace(move, asked_at=now))
    return tuple(changed)


def _outcome(
    move: OrderedMove, place: Place | None, target: Host | None, now: datetime
) -> Outcome | None:
    if place is None:
        return Outcome.LEFT
    if place.server_id == move.target:
        return Outcome.DONE
    if place.server_id != move.origin:
        return Outcome.ELSEWHERE
    if target is None or not target.is_open:
        return Outcome.GIVEN_UP
    if move.asked_at is not None and now - move.asked_at >= GIVEN_UP_AFTER:
        return Outcome.GIVEN_UP
    return None


def _admits(target: Host) -> int:
    """Give how many devices may be on their way to a server."""
    if target.boots_too_many:
        return 0
    return AT_ONCE if target.room is None else min(AT_ONCE, target.room)


def after_moves(placement: Placement, moves: Iterable[OrderedMove]) -> Placement:
    """Give the placement as it will be when the open moves are done: what a plan builds on."""
    targets = {move.device_id: move.target for move in moves if move.is_open}
    if not targets:
        return placement
    shift: Counter[ServerId] = Counter()
    devices = []
    for device in placement.devices:
        target = targets.get(device.id, device.place)
        shift[device.place] -= 1
        shift[target] += 1
        devices.append(replace(device, place=target))
    hosts = tuple(
        replace(host, load=replace(host.load, devices=max(0, host.load.devices + shift[host.id])))
        for host in placement.hosts
    )
    return replace(placement, hosts=hosts, devices=tuple(devices))
