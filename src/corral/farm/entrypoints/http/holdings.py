"""What a server says that it holds, read for a farm that was restored."""

import base64

from corral.farm.application.note_holdings import Holdings
from corral.farm.domain.backup.observation import HeldOverlay, HeldVersion
from corral.farm.domain.delivery.device import DeviceId
from corral.farm.domain.image.image import Content
from corral.farm.domain.image.overlay import OverlayId, OverlayKind
from corral.farm.domain.image.root import RootHash
from corral.farm.domain.image.standing import Standing
from corral.farm.domain.image.version import VersionName
from corral.wire import overlay as wire_overlay
from corral.wire import server as wire


def seen_holdings(message: wire.Holdings) -> Holdings:
    """Read them; words of another release are left aside, and stand for nothing known."""
    return Holdings(
        generation=message.generation,
        versions=tuple(map(_version, message.versions)),
        overlays=tuple(map(_overlay, message.overlays)),
    )


def _version(message: wire.HeldVersion) -> HeldVersion:
    is_standing = message.standing in {one.value for one in Standing}
    is_content = message.content in {one.value for one in Content}
    return HeldVersion(
        name=VersionName.parse(message.export),
        root=RootHash(message.root),
        signature=base64.b64decode(message.signature),
        size_bytes=message.size_bytes,
        standing=Standing(message.standing) if is_standing else None,
        content=Content(message.content) if is_content else Content.DISK,
        is_offered=message.offered,
        is_complete=message.complete,
    )


def _overlay(message: wire_overlay.Overlay) -> HeldOverlay:
    return HeldOverlay(
        id=OverlayId(message.id),
        export=message.export,
        base=RootHash(message.base),
        device_id=DeviceId(message.subject),
        kind=OverlayKind(message.kind.value),
        limit_bytes=message.limit_bytes,
    )
