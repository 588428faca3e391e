"""Which servers a device tries, in which order.

Pure: the same candidates and device give the same list, whatever order they came in.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from corral.farm.domain.delivery.device import DeviceId
    from corral.farm.domain.estate.server import Server, ServerState


@dataclass(frozen=True)
class Candidate:
    """A server as a login sees it."""

    server: Server
    state: ServerState
    holds_completely: bool
    """Whether the server's store has every chunk of the root that the device needs."""
    load: int
    """Sessions that it reported, and devices sent to it since that report."""

    @property
    def is_eligible(self) -> bool:
        """Whether a device may be sent there at all."""
        return self.holds_completely and self.state == "online" and not self.server.draining


def rank_servers(candidates: Iterable[Candidate], device: DeviceId) -> tuple[Server, ...]:
    """Give the eligible servers, least loaded first.

    Equal loads are ordered by a hash of device and server: stable for one device, and different
    between devices, so that a room full of machines switched on at once spreads over idle servers.
    """
    eligible = [candidate for candidate in candidates if candidate.is_eligible]
    eligible.sort(key=lambda candidate: (candidate.load, _tie_break(device, candidate.server)))
    return tuple(candidate.server for candidate in eligible)


def _tie_break(device: DeviceId, server: Server) -> bytes:
    return hashlib.sha256(device.bytes + server.id.bytes).digest()
