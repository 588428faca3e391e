"""Overlays in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from corral.farm.domain.image.overlay_errors import OverlayChangedError, OverlayUnknownError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corral.farm.adapters.memory.state import State
    from corral.farm.domain.delivery.device import DeviceId
    from corral.farm.domain.estate.server import ServerId
    from corral.farm.domain.image.image import ImageId
    from corral.farm.domain.image.overlay import Overlay, OverlayId, SeenOverlay
    from corral.farm.domain.image.root import RootHash


class MemoryOverlays:
    """Overlays by id."""

    def __init__(self, state: State) -> None:
        self._state = state

    def add(self, overlay: Overlay) -> None:
        """Add one."""
        self._state.overlays[overlay.id] = overlay

    def with_id(self, overlay_id: OverlayId) -> Overlay:
        """Give the one with that id."""
        found = self.find(overlay_id)
        if found is None:
            raise OverlayUnknownError(str(overlay_id))
        return found

    def find(self, overlay_id: OverlayId) -> Overlay | None:
        """Give the one with that id, if there is one."""
        return self._state.overlays.get(overlay_id)

    def of_server(self, server_id: ServerId) -> Sequence[Overlay]:
        """Give those that a server keeps."""
        return [overlay for overlay in self.all() if overlay.server_id == server_id]

    def of_device(self, device_id: DeviceId) -> Sequence[Overlay]:
        """Give those that a device writes."""
        return [overlay for overlay in self.all() if overlay.device_id == device_id]

    def of_image(self, image_id: ImageId) -> Sequence[Overlay]:
        """Give those over versions of an image."""
        return [overlay for overlay in self.all() if overlay.image_id == image_id]

    def of_base(self, root: RootHash) -> Sequence[Overlay]:
        """Give those over a root."""
        return [overlay for overlay in self.all() if overlay.base == root]

    def all(self) -> Sequence[Overlay]:
        """Give all of them."""
        return sorted(self._state.overlays.values(), key=lambda one: (one.created_at, one.id))

    def change(self, seen: Overlay, after: Overlay) -> None:
        """Replace the overlay if its revision is still the one that was seen."""
        known = self._state.overlays.get(seen.id)
        if known is None or known.revision != seen.revision:
            raise OverlayChangedError(str(seen.id))
        self._state.overlays[seen.id] = replace(after, seen=known.seen)

    def set_seen(self, overlay_id: OverlayId, seen: SeenOverlay) -> None:
        """Overwrite it."""
        self._state.overlays[overlay_id] = replace(self.with_id(overlay_id), seen=seen)

    def remove(self, overlay_id: OverlayId) -> None:
        """Forget it."""
        self._state.overlays.pop(overlay_id, None)
