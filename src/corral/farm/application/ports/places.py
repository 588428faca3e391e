"""Where devices are, as far as the farm knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from corral.farm.domain.delivery.device import DeviceId
    from corral.farm.domain.delivery.place import Place
    from corral.farm.domain.delivery.ranking import Load
    from corral.farm.domain.estate.server import ServerId


class Places(Protocol):
    """The place of each device that streams."""

    def find(self, device_id: DeviceId) -> Place | None:
        """Give the one of that device, if it has one."""
        ...

    def of_server(self, server_id: ServerId) -> Sequence[Place]:
        """Give all on that server, in the order of device ids."""
        ...

    def of_devices(self, device_ids: Collection[DeviceId]) -> Sequence[Place]:
        """Give those of these devices, in the order of device ids."""
        ...

    def all(self) -> Sequence[Place]:
        """Give all of them, in the order of device ids."""
        ...

    def loads(self, now: datetime) -> Mapping[ServerId, Load]:
        """Count them by server; a server without any is left out."""
        ...

    def put(self, place: Place) -> None:
        """Add it, or replace the one of the same device."""
        ...

    def remove(self, device_id: DeviceId) -> None:
        """Forget it; quietly done if there is none."""
        ...
