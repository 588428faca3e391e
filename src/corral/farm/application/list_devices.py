"""List the devices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corral.farm.domain.image.version import newest_published

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.domain.delivery.device import Device, DeviceName
    from corral.farm.domain.image.image import ImageName
    from corral.farm.domain.image.version import VersionName


@dataclass(frozen=True)
class DeviceView:
    """A device and what it would start from now."""

    device: Device
    image: ImageName | None
    version: VersionName | None
    """The newest published version of its image."""


class ListDevices:
    """Gives all devices, in the order of names."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self) -> tuple[DeviceView, ...]:
        """Give a view of each."""
        with self._transactions.reading() as records:
            return tuple(_view(records, device) for device in records.devices.all())


class ShowDevice:
    """Gives one device."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, name: DeviceName) -> DeviceView:
        """Give its view; raises ``DeviceUnknownError``."""
        with self._transactions.reading() as records:
            return _view(records, records.devices.get(name))


def _view(records: Records, device: Device) -> DeviceView:
    if device.assignment is None:
        return DeviceView(device, None, None)
    image = records.images.with_id(device.assignment.image_id)
    newest = newest_published(records.versions.of_image(image.id))
    return DeviceView(device, image.name, None if newest is None else newest.name)
