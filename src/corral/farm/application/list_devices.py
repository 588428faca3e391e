"""List the devices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corral.farm.application.kind_of_device import kind_of
from corral.farm.application.note_releases import versions_as_of
from corral.farm.domain.image.choice import version_to_start

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.delivery.device import Device, DeviceName
    from corral.farm.domain.image.image import ImageName
    from corral.farm.domain.image.version import VersionName


@dataclass(frozen=True)
class DeviceView:
    """A device and what it would start from now."""

    device: Device
    image: ImageName | None
    version: VersionName | None
    """Of its image, what its type starts now."""


class ListDevices:
    """Gives all devices, in the order of names."""

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    def __call__(self) -> tuple[DeviceView, ...]:
        """Give a view of each."""
        now = self._clock.now()
        with self._transactions.reading() as records:
            return tuple(_view(records, device, now) for device in records.devices.all())


class ShowDevice:
    """Gives one device."""

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    def __call__(self, name: DeviceName) -> DeviceView:
        """Give its view; raises ``DeviceUnknownError``."""
        now = self._clock.now()
        with self._transactions.reading() as records:
            return _view(records, records.devices.get(name), now)


def _view(records: Records, device: Device, now: datetime) -> DeviceView:
    if device.assignment is None:
        return DeviceView(device, None, None)
    image = records.images.with_id(device.assignment.image_id)
    versions = versions_as_of(records, image.id, now)
    chosen = version_to_start(versions, kind_of(device), image.pinned)
    return DeviceView(device, image.name, None if chosen is None else chosen.name)
