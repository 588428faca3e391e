"""Who writes over an image's versions, as several verbs must know it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corral.farm.application.start_overlay import export_of
from corral.farm.domain.image.overlay import OverlayKind
from corral.farm.domain.image.overlay_errors import (
    MaintenanceUnderWayError,
    MaintenanceUnknownError,
    WriterOnError,
)
from corral.farm.domain.image.write_cache import ImageMode

if TYPE_CHECKING:
    from corral.farm.application.ports.records import Records
    from corral.farm.domain.delivery.device import Device
    from corral.farm.domain.estate.server import Server
    from corral.farm.domain.image.image import Image
    from corral.farm.domain.image.overlay import Overlay


@dataclass(frozen=True)
class OverlayView:
    """An overlay, whose it is and where."""

    overlay: Overlay
    image: Image
    device: Device
    server: Server

    @property
    def export(self) -> str:
        """What its device asks for."""
        return export_of(self.overlay, self.image.name, self.device.name)

    @property
    def problem(self) -> str:
        """What a person should know of it; nothing if all is well."""
        seen = self.overlay.seen
        if seen is None or seen.condition not in ("full", "failed"):
            return ""
        return f"{seen.condition}: {seen.problem}" if seen.problem else str(seen.condition)


def view_of(records: Records, overlay: Overlay) -> OverlayView:
    """Look up what an overlay names."""
    return OverlayView(
        overlay=overlay,
        image=records.images.with_id(overlay.image_id),
        device=records.devices.with_id(overlay.device_id),
        server=records.servers.with_id(overlay.server_id),
    )


def maintenance_of(records: Records, image: Image) -> Overlay | None:
    """Give what is to become the next version of the image, if a device changes it."""
    return next(
        (
            overlay
            for overlay in records.overlays.of_image(image.id)
            if overlay.kind is OverlayKind.MAINTENANCE
        ),
        None,
    )


def writable_of(records: Records, image: Image) -> Overlay:
    """Give what can be made a version of the image; raises ``MaintenanceUnknownError``."""
    found = maintenance_of(records, image)
    if found is None and image.mode is ImageMode.CUSTOM:
        assigned = {device.id for device in records.devices.with_image(image.id)}
        found = next(
            (
                overlay
                for overlay in records.overlays.of_image(image.id)
                if overlay.kind is OverlayKind.CUSTOM and overlay.device_id in assigned
            ),
            None,
        )
    if found is None:
        raise MaintenanceUnknownError(image.name)
    return found


def refuse_in_maintenance(records: Records, image: Image) -> None:
    """Raise ``MaintenanceUnderWayError`` if a device changes the image."""
    overlay = maintenance_of(records, image)
    if overlay is not None:
        view = view_of(records, overlay)
        raise MaintenanceUnderWayError(image.name, view.device.name, view.server.name)


def refuse_if_written(records: Records, overlay: Overlay) -> None:
    """Raise ``WriterOnError`` if a device writes to it, or did when its server last reported."""
    view = view_of(records, overlay)
    is_on = overlay.seen is not None and overlay.seen.clients > 0
    if is_on or any(
        session.export == view.export and session.server_id == overlay.server_id
        for session in records.sessions.all()
    ):
        raise WriterOnError(view.export, view.device.name, view.server.name)
