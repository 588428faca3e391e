"""What a computer is told: what should be on it, whole, and who gives the chunks."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from corral.farm.domain.computer.computer import CHECK_IN_EVERY
from corral.farm.domain.computer.policy import USUAL_POLICY, MachinePolicy
from corral.farm.domain.estate.replication import UNLIMITED, Bandwidth

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime, timedelta

    from corral.farm.domain.computer.computer import Computer, ComputerId
    from corral.farm.domain.computer.plan import Assigned, PlannedMachine
    from corral.farm.domain.computer.state import ComputerState
    from corral.farm.domain.computer.user import UserName
    from corral.farm.domain.estate.server import ServerId, ServerName
    from corral.farm.domain.estate.site import SiteId
    from corral.farm.domain.image.image import ImageName
    from corral.farm.domain.image.root import RootHash
    from corral.farm.domain.image.version import VersionName
    from corral.farm.domain.image.write_cache import ImageMode


@dataclass(frozen=True)
class MachineOrder:
    """A virtual machine that should be on a computer, for one of its users."""

    image: ImageName
    user: UserName
    mode: ImageMode
    version: VersionName
    root: RootHash
    signature: bytes
    size_bytes: int
    is_staged: bool
    attempt: int
    is_paused: bool
    policy: MachinePolicy = USUAL_POLICY
    image_format: int = 1
    guest_tools: str | None = None


@dataclass(frozen=True)
class KitOrder:
    """A release of the engine that a computer should run."""

    kit: str
    release: str
    root: RootHash
    signature: bytes
    size_bytes: int
    attempt: int = 0


@dataclass(frozen=True)
class ChunkServer:
    """A server that gives chunks, and what it has; the same for all computers."""

    id: ServerId
    name: ServerName
    url: str
    site_id: SiteId
    holds: frozenset[RootHash]
    """In full."""
    arrives: Mapping[RootHash, datetime | None]
    """What it fetches, and when it is expected to have all of it."""
    relay_url: str | None = None
    """Where computers of its site reach the farm through it; none if it is no relay."""


@dataclass(frozen=True)
class Source:
    """Who gives chunks to one computer."""

    server: ServerName
    url: str
    has: tuple[RootHash, ...]


@dataclass(frozen=True)
class Orders:
    """What should be on one computer."""

    computer_id: ComputerId
    state: ComputerState
    erases: bool
    machines: tuple[MachineOrder, ...] = ()
    kit: KitOrder | None = None
    sources: tuple[Source, ...] = ()
    not_yet: tuple[RootHash, ...] = ()
    """Roots that none of the sources has in full yet."""
    not_yet_until: datetime | None = None
    bandwidth: Bandwidth = UNLIMITED
    check_in_every: timedelta = CHECK_IN_EVERY
    api_urls: tuple[str, ...] = ()
    """Where to check in, best first: relays of its site, then the farm's own."""
    certificate_authority: str = ""

    @property
    def roots(self) -> tuple[RootHash, ...]:
        """Give every root that the computer may fetch, in order, each once."""
        found = [machine.root for machine in self.machines]
        if self.kit is not None:
            found.insert(0, self.kit.root)
        return tuple(dict.fromkeys(found))

    def digest(self) -> bytes:
        """Give what is the same as long as they say the same.

        When something is expected is no part of it: that moves with every byte that a server
        fetches.
        """
        return hashlib.sha256(repr(replace(self, not_yet_until=None)).encode()).digest()


def orders_for(  # noqa: PLR0913 - the computer, and all that decides on what it is told
    computer: Computer,
    planned: Sequence[PlannedMachine],
    assigned: Assigned,
    servers: Iterable[ChunkServer],
    site_id: SiteId,
    *,
    kit: KitOrder | None = None,
    stays_home: bool = False,
) -> Orders:
    """Give what a computer is told.

    ``planned`` is what :func:`plan_machines` gives for it, ``site_id`` where it is. Servers of that
    site come first; with ``stays_home`` there are no others, as where a relay should not be gone
    round.
    """
    if computer.erases:
        return Orders(computer.id, computer.state, erases=True)
    machines = tuple(_order(computer, one, assigned) for one in planned if one.ordered is not None)
    orders = Orders(
        computer.id,
        computer.state,
        erases=False,
        machines=machines,
        kit=kit,
        bandwidth=computer.bandwidth,
    )
    asked = asked_from(servers, site_id, stays_home=stays_home)
    asked.sort(key=lambda one: (one.site_id != site_id, _spread(computer, one)))
    sources = tuple(
        Source(one.name, one.url, tuple(root for root in orders.roots if root in one.holds))
        for one in asked
        if orders.roots
    )
    not_yet = tuple(
        root for root in orders.roots if not any(root in source.has for source in sources)
    )
    return replace(
        orders,
        sources=sources,
        api_urls=tuple(one.relay_url for one in asked if one.relay_url is not None),
        not_yet=not_yet,
        not_yet_until=_expected(not_yet, asked),
    )


def asked_from(
    servers: Iterable[ChunkServer], site_id: SiteId, *, stays_home: bool
) -> list[ChunkServer]:
    """Give those that a computer of a site may ask. The relay of another site is none of them."""
    return [
        one
        for one in servers
        if one.site_id == site_id or not (stays_home or one.relay_url is not None)
    ]


def arrival(root: RootHash, servers: Iterable[ChunkServer]) -> datetime | None:
    """Give when the first of the servers is expected to have all of a root."""
    expected = [moment for one in servers if (moment := one.arrives.get(root)) is not None]
    return min(expected, default=None)


def _order(computer: Computer, planned: PlannedMachine, assigned: Assigned) -> MachineOrder:
    version = planned.ordered
    if version is None:
        message = f"nothing is ordered of {planned.image.name}"
        raise ValueError(message)
    return MachineOrder(
        image=planned.image.name,
        user=planned.user.name,
        mode=planned.image.mode,
        version=version.name,
        root=version.root,
        signature=version.signature,
        size_bytes=version.size_bytes,
        is_staged=planned.granted.is_staged,
        attempt=planned.attempt,
        is_paused=computer.is_paused,
        policy=assigned.policy(planned.image.id),
        image_format=version.image_format,
        guest_tools=version.guest_tools,
    )


def _spread(computer: Computer, server: ChunkServer) -> bytes:
    """Give a place in the order that is another for each computer, and always the same."""
    return hashlib.sha256(computer.id.bytes + server.id.bytes).digest()


def _expected(roots: Iterable[RootHash], servers: Sequence[ChunkServer]) -> datetime | None:
    """Give when the last of the roots is expected; none if that of one is not known."""
    moments = [arrival(root, servers) for root in roots]
    known = [moment for moment in moments if moment is not None]
    return max(known) if known and len(known) == len(moments) else None
