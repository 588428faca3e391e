"""Let a device change an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corral.farm.application.choose_servers import Caller, choose_servers
from corral.farm.application.note_releases import note_releases
from corral.farm.application.observing import refuse_to_change
from corral.farm.application.writers import OverlayView, maintenance_of, view_of
from corral.farm.domain.delivery.errors import ImageWithoutVersionError
from corral.farm.domain.image.errors import VersionNotHeldError
from corral.farm.domain.image.overlay import (
    Overlay,
    OverlayCondition,
    OverlayEvent,
    OverlayId,
    OverlayKind,
    OverlayPhase,
)
from corral.farm.domain.image.overlay_errors import (
    MaintainerElsewhereError,
    MaintainsCustomError,
    MaintenanceUnderWayError,
)
from corral.farm.domain.image.version import VersionNumber, newest_published
from corral.farm.domain.image.write_cache import CacheSetting, ImageMode

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.sources import Clock, IdSource
    from corral.farm.domain.delivery.device import Device, DeviceName
    from corral.farm.domain.estate.server import Server, ServerName
    from corral.farm.domain.image.image import Image, ImageName
    from corral.farm.domain.image.version import Version


@dataclass(frozen=True)
class MaintenanceRequest:
    """Which device is to change which image."""

    image: ImageName
    device: DeviceName
    server: ServerName | None = None
    """Who keeps what it writes; by default the server that it would be sent to."""
    limit_bytes: int | None = None
    """What that may take there; by default as much as the disk is large."""


class MaintainImage:
    """Has a server keep what one device writes over the newest version, until it is promoted.

    The device gets it at its next start, alone; everybody else goes on with what there is.
    """

    def __init__(
        self, transactions: Transactions, ids: IdSource, clock: Clock, by: str = ""
    ) -> None:
        self._transactions = transactions
        self._ids = ids
        self._clock = clock
        self._by = by

    def __call__(self, request: MaintenanceRequest) -> OverlayView:
        """Give what the device will write to; one whose sealing failed is opened again.

        Raises ``MaintenanceUnderWayError``, ``MaintainerElsewhereError``, ``MaintainsCustomError``,
        ``ImageWithoutVersionError``, ``VersionNotHeldError``, ``NoServerForVersionError``,
        ``FarmObservesError``.
        """
        now = self._clock.now()
        # A limit is a limit, whatever is kept.
        CacheSetting(limit_bytes=request.limit_bytes)
        with self._transactions.writing() as records:
            refuse_to_change(records)
            image = records.images.get(request.image)
            device = records.devices.get(request.device)
            known = maintenance_of(records, image)
            if known is not None:
                return self._reopened(records, known, device)
            if image.mode is ImageMode.CUSTOM:
                raise MaintainsCustomError(image.name)
            if device.assignment is None or device.assignment.image_id != image.id:
                raise MaintainerElsewhereError(device.name, image.name)
            note_releases(records, records.versions.of_image(image.id), now)
            base = newest_published(records.versions.of_image(image.id))
            if base is None:
                raise ImageWithoutVersionError(image.name)
            server = _server(records, request, device, base, now)
            overlay = self._overlay(request, image, device, server, base, now)
            records.overlays.add(overlay)
            records.farm.raise_generation()
            return view_of(records, overlay)

    def _overlay(  # noqa: PLR0913, PLR0917 - what one overlay is made of
        self,
        request: MaintenanceRequest,
        image: Image,
        device: Device,
        server: Server,
        base: Version,
        now: datetime,
    ) -> Overlay:
        return Overlay(
            id=OverlayId(self._ids.new()),
            kind=OverlayKind.MAINTENANCE,
            image_id=image.id,
            number=VersionNumber(image.last_number + 1),
            device_id=device.id,
            server_id=server.id,
            base=base.root,
            size_bytes=base.size_bytes,
            limit_bytes=request.limit_bytes or base.size_bytes,
            created_at=now,
            created_by=self._by,
        )

    @staticmethod
    def _reopened(records: Records, known: Overlay, device: Device) -> OverlayView:
        view = view_of(records, known)
        failed = known.seen is not None and known.seen.condition is OverlayCondition.FAILED
        if known.device_id != device.id or known.phase is not OverlayPhase.SEALING or not failed:
            raise MaintenanceUnderWayError(view.image.name, view.device.name, view.server.name)
        after = known.after(OverlayEvent.REOPEN)
        records.overlays.change(known, after.changed())
        records.farm.raise_generation()
        return view_of(records, records.overlays.with_id(known.id))


def _server(
    records: Records, request: MaintenanceRequest, device: Device, base: Version, now: datetime
) -> Server:
    if request.server is None:
        return choose_servers(records, device, base, Caller(), now)[0]
    server = records.servers.get(request.server)
    replica = records.replicas.find(server.id, base.root)
    if replica is None or not replica.is_complete:
        raise VersionNotHeldError(str(base.name), server.name)
    return server
