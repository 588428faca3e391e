"""Remove a device."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.application.writers import view_of
from corral.farm.domain.delivery.errors import DeviceChangedError, DeviceStreamsError
from corral.farm.domain.image.overlay_errors import DeviceWritesKeptError

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.delivery.device import Device, DeviceName


class RemoveDevice:
    """Forgets a device that streams nothing; its key opens nothing any more."""

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    def __call__(self, name: DeviceName, revision: int | None = None) -> Device:
        """Give the device as it was.

        Raises ``DeviceUnknownError``, ``DeviceStreamsError``, ``DeviceWritesKeptError``, and
        ``DeviceChangedError`` as a change does. A server that went silent counts as serving whom it
        last named.
        """
        now = self._clock.now()
        with self._transactions.writing() as records:
            device = records.devices.get(name)
            if revision not in (None, device.revision):
                raise DeviceChangedError(name)
            for session in records.sessions.all():
                if session.device_id == device.id:
                    server = records.servers.with_id(session.server_id)
                    if server.may_be_serving(now):
                        raise DeviceStreamsError(name, server.name)
            _give_up_caches(records, device)
            records.devices.remove(device.id)
        return device


def _give_up_caches(records: Records, device: Device) -> None:
    """Forget its write caches; what was to be kept for ever must be decided on first."""
    overlays = records.overlays.of_device(device.id)
    kept = [view_of(records, one).export for one in overlays if not one.kind.is_cache]
    if kept:
        raise DeviceWritesKeptError(device.name, kept)
    for overlay in overlays:
        records.overlays.remove(overlay.id)
    records.device_caches.remove(device.id)
    if overlays:
        records.farm.raise_generation()
