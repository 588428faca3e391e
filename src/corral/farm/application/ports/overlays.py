"""The overlays: what devices write over versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corral.farm.domain.delivery.device import DeviceId
    from corral.farm.domain.estate.server import ServerId
    from corral.farm.domain.image.image import ImageId
    from corral.farm.domain.image.overlay import Overlay, OverlayId, SeenOverlay
    from corral.farm.domain.image.root import RootHash


class Overlays(Protocol):
    """The overlays that there should be; lists come in the order of their making."""

    def add(self, overlay: Overlay) -> None:
        """Add one."""
        ...

    def with_id(self, overlay_id: OverlayId) -> Overlay:
        """Give the one with that id; raises ``OverlayUnknownError``."""
        ...

    def find(self, overlay_id: OverlayId) -> Overlay | None:
        """Give the one with that id, if there is one."""
        ...

    def of_server(self, server_id: ServerId) -> Sequence[Overlay]:
        """Give those that a server keeps."""
        ...

    def of_device(self, device_id: DeviceId) -> Sequence[Overlay]:
        """Give those that a device writes."""
        ...

    def of_image(self, image_id: ImageId) -> Sequence[Overlay]:
        """Give those over versions of an image."""
        ...

    def of_base(self, root: RootHash) -> Sequence[Overlay]:
        """Give those over a root."""
        ...

    def all(self) -> Sequence[Overlay]:
        """Give all of them."""
        ...

    def change(self, seen: Overlay, after: Overlay) -> None:
        """Replace ``seen`` by ``after``, but for what its server said.

        Raises ``OverlayChangedError`` if its revision is not as seen.
        """
        ...

    def set_seen(self, overlay_id: OverlayId, seen: SeenOverlay) -> None:
        """Remember what its server said of it."""
        ...

    def remove(self, overlay_id: OverlayId) -> None:
        """Forget it; quietly done if there is none. Its server then removes what was written."""
        ...
