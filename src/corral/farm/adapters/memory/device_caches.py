"""The write caches of devices in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from corral.farm.domain.image.write_cache import DeviceCache

if TYPE_CHECKING:
    from collections.abc import Mapping

    from corral.farm.adapters.memory.state import State
    from corral.farm.domain.delivery.device import DeviceId
    from corral.farm.domain.image.write_cache import CacheSetting, UsedCache


class MemoryDeviceCaches:
    """Caches by device."""

    def __init__(self, state: State) -> None:
        self._state = state

    def with_id(self, device_id: DeviceId) -> DeviceCache:
        """Give the device's."""
        return self._state.device_caches.get(device_id, DeviceCache(device_id))

    def all(self) -> Mapping[DeviceId, DeviceCache]:
        """Give all that are known."""
        return dict(self._state.device_caches)

    def set_setting(self, device_id: DeviceId, setting: CacheSetting | None) -> None:
        """Set or clear it."""
        known = self.with_id(device_id)
        self._state.device_caches[device_id] = replace(known, setting=setting)

    def remove(self, device_id: DeviceId) -> None:
        """Forget it."""
        self._state.device_caches.pop(device_id, None)

    def set_used(self, device_id: DeviceId, used: UsedCache | None) -> None:
        """Overwrite it."""
        self._state.device_caches[device_id] = replace(self.with_id(device_id), used=used)
