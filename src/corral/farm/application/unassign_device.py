"""Take the image of a device from it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Transactions
    from corral.farm.domain.delivery.device import Device, DeviceName


class UnassignDevice:
    """From now on the device starts from nothing; what it runs goes on, and renews its tickets."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, name: DeviceName) -> Device:
        """Give the device as it is now; quietly done if it had no image."""
        with self._transactions.writing() as records:
            device = records.devices.get(name)
            if device.assignment is None:
                return device
            return records.devices.change(device, replace(device, assignment=None))
