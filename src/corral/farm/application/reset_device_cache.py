"""Give up what a device wrote to a write cache on a server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.application.observing import refuse_to_change
from corral.farm.application.writers import OverlayView, refuse_if_written, view_of
from corral.farm.domain.image.overlay import OverlayKind

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Transactions
    from corral.farm.domain.delivery.device import DeviceName


class ResetDeviceCache:
    """Has a device begin its next start with an empty write cache, on whichever server."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def __call__(self, name: DeviceName, *, also_custom: bool = False) -> tuple[OverlayView, ...]:
        """Give what was given up; with ``also_custom`` the device's own disk, too.

        Raises ``DeviceUnknownError``; ``WriterOnError`` if the device is on; ``FarmObservesError``.
        """
        with self._transactions.writing() as records:
            refuse_to_change(records)
            device = records.devices.get(name)
            given_up = []
            for overlay in records.overlays.of_device(device.id):
                is_custom = overlay.kind is OverlayKind.CUSTOM
                if overlay.kind.is_cache or (also_custom and is_custom):
                    refuse_if_written(records, overlay)
                    given_up.append(view_of(records, overlay))
                    records.overlays.remove(overlay.id)
            if given_up:
                records.farm.raise_generation()
            return tuple(given_up)
