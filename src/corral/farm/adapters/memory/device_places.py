"""Places in memory."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from corral.farm.domain.delivery.ranking import Load

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from corral.farm.adapters.memory.state import State
    from corral.farm.domain.delivery.device import DeviceId
    from corral.farm.domain.delivery.place import Place
    from corral.farm.domain.estate.server import ServerId


class MemoryPlaces:
    """Places by device."""

    def __init__(self, state: State) -> None:
        self._state = state

    def find(self, device_id: DeviceId) -> Place | None:
        """Give the one of that device, if it has one."""
        return self._state.places.get(device_id)

    def of_server(self, server_id: ServerId) -> Sequence[Place]:
        """Give all on that server."""
        return [place for place in self.all() if place.server_id == server_id]

    def of_devices(self, device_ids: Collection[DeviceId]) -> Sequence[Place]:
        """Give those of these devices."""
        wanted = frozenset(device_ids)
        return [place for place in self.all() if place.device_id in wanted]

    def all(self) -> Sequence[Place]:
        """Give all of them."""
        return sorted(self._state.places.values(), key=lambda place: place.device_id)

    def loads(self, now: datetime) -> Mapping[ServerId, Load]:
        """Count them by server."""
        booting: defaultdict[ServerId, list[bool]] = defaultdict(list)
        for place in self._state.places.values():
            booting[place.server_id].append(place.is_booting(now))
        return {server: Load(len(flags), sum(flags)) for server, flags in booting.items()}

    def put(self, place: Place) -> None:
        """Add it, or replace the one of the same device."""
        self._state.places[place.device_id] = place

    def remove(self, device_id: DeviceId) -> None:
        """Forget it."""
        self._state.places.pop(device_id, None)
