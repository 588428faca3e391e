"""Which server is next: those that were named to be first, then whoever is missed least."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from corral.farm.domain.delivery.placement import PlacedDevice
    from corral.farm.domain.estate.server import ServerId, ServerName
    from corral.farm.domain.upgrade.inventory import SeenServer
    from corral.farm.domain.upgrade.look import Look


def named_first(look: Look) -> tuple[SeenServer, ...]:
    """Give the servers that somebody named to be first, in that order; on the way back none is."""
    if not look.leads_forward:
        return ()
    seen = {one.name: one for one in look.servers}
    return tuple(seen[name] for name in look.policy.first if name in seen)


def in_order(look: Look) -> tuple[SeenServer, ...]:
    """Give the servers, the one to begin with first.

    The one that the most devices depend on comes last: with each server before it that proves
    itself, less can go wrong with it.
    """
    place = {one.name: number for number, one in enumerate(named_first(look))}
    placed: defaultdict[ServerId, list[PlacedDevice]] = defaultdict(list)
    for one in look.inventory.placement.devices:
        placed[one.place].append(one)

    def key(server: SeenServer) -> tuple[int, int, int, ServerName]:
        devices = placed.get(server.id, [])
        # Those that could go to one other server only.
        bound = sum(len(one.may_use - {server.id}) <= 1 for one in devices)
        return place.get(server.name, len(place)), bound, len(devices), server.name

    return tuple(sorted(look.servers, key=key))
