"""What a server was told before the farm was restored, and holds by that."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from corral.farm.domain.image.image import Content

if TYPE_CHECKING:
    from datetime import datetime

    from corral.farm.domain.delivery.device import DeviceId
    from corral.farm.domain.estate.server import ServerId
    from corral.farm.domain.image.overlay import OverlayId, OverlayKind
    from corral.farm.domain.image.root import RootHash
    from corral.farm.domain.image.standing import Standing
    from corral.farm.domain.image.version import VersionName


@dataclass(frozen=True)
class HeldVersion:
    """A version that the farm had a server hold, and that the server did not let go."""

    name: VersionName
    root: RootHash
    signature: bytes
    """The farm's, of the root: what was not published by it is not here."""
    size_bytes: int
    standing: Standing | None = None
    """Where the farm last said that it stands; none from a release that did not say it."""
    content: Content = Content.DISK
    is_offered: bool = False
    """Devices can be sent there for it."""
    is_complete: bool = False


@dataclass(frozen=True)
class HeldOverlay:
    """What a device writes there."""

    id: OverlayId
    export: str
    base: RootHash
    device_id: DeviceId
    kind: OverlayKind
    limit_bytes: int


@dataclass(frozen=True)
class Observation:
    """What one server said since the farm was restored."""

    server_id: ServerId
    heard_at: datetime
    generation: int
    """That it followed when it heard of the restored farm; 0 if it had nothing in force."""
    versions: tuple[HeldVersion, ...] = ()
    overlays: tuple[HeldOverlay, ...] = ()
    settled_at: datetime | None = None
    """From when on the records have all that it holds, so that it is configured as always."""

    def settled(self, now: datetime) -> Observation:
        """Give it once the records know it all."""
        return replace(self, settled_at=now)

    def says_the_same_as(self, other: Observation) -> bool:
        """Whether nothing but the hour differs."""
        return replace(self, heard_at=other.heard_at, settled_at=other.settled_at) == other
