"""The write caches of devices: what each is to use instead of its image's, and what it uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from corral.farm.domain.delivery.device import DeviceId
    from corral.farm.domain.image.write_cache import CacheSetting, DeviceCache, UsedCache


class DeviceCaches(Protocol):
    """One for each device that has something to tell."""

    def with_id(self, device_id: DeviceId) -> DeviceCache:
        """Give the device's; an empty one if nothing is known."""
        ...

    def all(self) -> Mapping[DeviceId, DeviceCache]:
        """Give all that are known."""
        ...

    def set_setting(self, device_id: DeviceId, setting: CacheSetting | None) -> None:
        """Have the device use that, or what its image says."""
        ...

    def remove(self, device_id: DeviceId) -> None:
        """Forget what is known of a device; quietly done if nothing is."""
        ...

    def set_used(self, device_id: DeviceId, used: UsedCache | None) -> None:
        """Remember what the device says that it uses."""
        ...
