"""Have one device keep what it writes elsewhere than its image says."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Transactions
    from corral.farm.domain.delivery.device import Device, DeviceName
    from corral.farm.domain.image.write_cache import CacheSetting


class SetDeviceCache:
    """Gives a device a write cache of its own, from its next start on."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, name: DeviceName, setting: CacheSetting | None) -> Device:
        """Give the device; with no setting it goes by its image again."""
        with self._transactions.writing() as records:
            device = records.devices.get(name)
            records.device_caches.set_setting(device.id, setting)
            return device
