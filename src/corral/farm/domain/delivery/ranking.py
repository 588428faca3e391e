"""Which servers a device tries, in which order.

Pure: the same servers and device give the same list, whatever order they came in. A server that
the farm has not heard of, that drains or is under maintenance, or that lacks a byte of the version
is not listed. Of the others, those that let the device in come first: by affinity, then by load.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from corral.farm.domain.estate.site import FIRST_SITE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from corral.farm.domain.delivery.device import DeviceId
    from corral.farm.domain.estate.server import ServerId, ServerName
    from corral.farm.domain.estate.site import SiteId
    from corral.farm.domain.estate.subnet import Subnet

BOOTING_COUNTS_AS: Final = 2
"""A device that starts reads in a minute what it later reads in hours. It counts twice: enough to
send the next one elsewhere, little enough that the numbers of devices stay near each other when all
have started."""


class Affinity(StrEnum):
    """How much a device is bound to servers of its own subnet."""

    NONE = "none"
    """The least loaded server, wherever it is."""
    BEST_EFFORT = "best-effort"
    """A server of the subnet if one lets it in, else another."""
    FIXED = "fixed"
    """A server of the subnet or none."""


@dataclass(frozen=True)
class Load:
    """The devices whose place is on a server."""

    devices: int = 0
    booting: int = 0
    """Those of them that still start."""

    @property
    def weight(self) -> int:
        """The devices, those that start counted more."""
        return self.devices + (BOOTING_COUNTS_AS - 1) * self.booting


@dataclass(frozen=True)
class Host:
    """A server as placement sees it."""

    id: ServerId
    name: ServerName
    is_online: bool = True
    takes_devices: bool = True
    """Neither draining nor under maintenance."""
    site_id: SiteId = FIRST_SITE.id
    rating: Decimal = Decimal(1)
    """A server of rating 2 gets twice the devices of one of rating 1."""
    max_devices: int | None = None
    max_booting: int | None = None
    subnets: tuple[Subnet, ...] = ()
    load: Load = Load()

    @property
    def is_open(self) -> bool:
        """Whether devices may be sent there at all."""
        return self.is_online and self.takes_devices

    @property
    def room(self) -> int | None:
        """How many more devices it takes; none if it has no limit."""
        return None if self.max_devices is None else max(0, self.max_devices - self.load.devices)

    @property
    def is_full(self) -> bool:
        """Whether its limit of devices is reached."""
        return self.room == 0

    @property
    def boots_too_many(self) -> bool:
        """Whether its limit of devices that start at once is reached."""
        return self.max_booting is not None and self.load.booting >= self.max_booting

    @property
    def relative_load(self) -> Fraction:
        """Devices for each unit of rating."""
        return Fraction(self.load.devices) / Fraction(self.rating)

    def is_near(self, address: str | None) -> bool:
        """Whether the IP address is in one of its subnets."""
        return address is not None and any(address in subnet for subnet in self.subnets)

    def shares_a_network(self, networks: Iterable[Subnet]) -> bool:
        """Whether an address in one of the networks could be in one of its subnets."""
        return any(one.overlaps(other) for one in networks for other in self.subnets)


@dataclass(frozen=True)
class Arrival:
    """A device that asks where to go."""

    device_id: DeviceId
    holders: frozenset[ServerId]
    """Servers whose stores have every chunk of the root that it needs."""
    is_running: bool = False
    """It has a disk already and renews its login or has lost a server: no limit keeps it out."""
    place: ServerId | None = None
    """Where it is now; a device that runs stays there if it can."""
    wanted: ServerId | None = None
    """Where the farm has asked it to move to."""
    address: str | None = None
    networks: tuple[Subnet, ...] = ()
    """Where its address will be, as far as one can say of a device that has none yet."""
    is_for_later: bool = False
    """It is not about to come: the answer is kept for when it does, and how many are there now
    says nothing of then."""
    affinity: Affinity = Affinity.NONE
    only: ServerId | None = None
    """The one server that its image is to be had from, if there is such a one."""
    site_id: SiteId = FIRST_SITE.id
    """That of its collection. Another site is reached over a slower line: its servers come last."""


class WhyNot(StrEnum):
    """Why a server is not the first to be tried."""

    NOT_THE_ONE = "is not the only server that the image may be had from"
    INCOMPLETE = "does not hold all of the version"
    SILENT = "has not reported lately"
    CLOSED = "drains or is under maintenance"
    FAR = "is in another subnet"
    FULL = "has as many devices as it may"
    BOOTING = "has as many devices starting as it may"


@dataclass(frozen=True)
class Ranking:
    """The answer to an arrival."""

    servers: tuple[ServerId, ...]
    """The first to be tried first; empty if no server lets the device in. Those at their limits
    come last: a device that has lost the others is let in there."""
    refused: tuple[tuple[ServerName, WhyNot], ...]
    """The servers that do not let it in, by name."""


def rank(hosts: Iterable[Host], arrival: Arrival) -> Ranking:
    """Give the servers that the device may use, best first.

    Equal loads are ordered by a hash of device and server: stable for one device, and different
    between devices, so that a room full of machines switched on at once spreads over idle servers.
    """
    listed: list[Host] = []
    refused: list[tuple[ServerName, WhyNot]] = []
    for host in hosts:
        why_not = _barred(host, arrival)
        if why_not is None:
            listed.append(host)
            why_not = _limited(host, arrival)
        if why_not is not None:
            refused.append((host.name, why_not))
    lets_in = (
        arrival.is_running
        or arrival.is_for_later
        or any(_limited(host, arrival) is None for host in listed)
    )
    listed.sort(key=lambda host: _order(host, arrival))
    return Ranking(
        servers=tuple(host.id for host in listed) if lets_in else (),
        refused=tuple(sorted(refused)),
    )


def _barred(host: Host, arrival: Arrival) -> WhyNot | None:
    """Why a device is never sent there."""
    if arrival.only not in {None, host.id}:
        return WhyNot.NOT_THE_ONE
    if host.id not in arrival.holders:
        return WhyNot.INCOMPLETE
    if not host.is_online:
        return WhyNot.SILENT
    if not host.takes_devices:
        return WhyNot.CLOSED
    if arrival.affinity is Affinity.FIXED and not _is_near(host, arrival):
        return WhyNot.FAR
    return None


def _is_near(host: Host, arrival: Arrival) -> bool:
    if arrival.address is None:
        return host.shares_a_network(arrival.networks)
    return host.is_near(arrival.address)


def _limited(host: Host, arrival: Arrival) -> WhyNot | None:
    """Why a device is not let in unless it has lost the others; one that is there stays."""
    if host.id == arrival.place:
        return None
    if host.is_full:
        return WhyNot.FULL
    if host.boots_too_many and not arrival.is_running:
        return WhyNot.BOOTING
    return None


def _order(host: Host, arrival: Arrival) -> tuple[bool, bool, bool, bool, bool, Fraction, bytes]:
    is_here = host.id == arrival.place
    others = host.load.weight - (1 if is_here else 0)
    return (
        host.id != arrival.wanted,
        not (is_here and arrival.is_running),
        _limited(host, arrival) is not None,
        host.site_id != arrival.site_id,
        arrival.affinity is Affinity.BEST_EFFORT and not _is_near(host, arrival),
        # As it would be with the device there: an idle server of a low rating is not the best one.
        Fraction(others + 1) / Fraction(host.rating),
        hashlib.sha256(arrival.device_id.bytes + host.id.bytes).digest(),
    )
