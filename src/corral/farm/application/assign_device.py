"""Assign an image to a device."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.application.change_image import refuse_second_device

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.delivery.device import Device, DeviceName
    from corral.farm.domain.image.image import ImageName


class AssignDevice:
    """From its next start on, the device starts from the image."""

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    def __call__(self, name: DeviceName, image_name: ImageName) -> Device:
        """Give the device as it is now; raises ``ImageCustomError``."""
        now = self._clock.now()
        with self._transactions.writing() as records:
            device = records.devices.get(name)
            image = records.images.get(image_name)
            refuse_second_device(records, image, device.name)
            records.devices.assign(device.id, image.id, now)
            return device.assigned(image.id, now)
