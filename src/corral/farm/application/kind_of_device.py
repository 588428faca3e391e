"""Which versions a device may start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.domain.image.version import Access

if TYPE_CHECKING:
    from corral.farm.domain.delivery.device import Device


def kind_of(device: Device) -> Access:
    """Give the most guarded access that the device's type lets it start."""
    return Access(device.type.value)
